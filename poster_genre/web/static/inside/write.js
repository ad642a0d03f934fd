// Elements and numbers.
let digits = 4;

export function showAllDigits(all) {
  digits = all ? 9 : 4; // nine tell every float32 from its neighbours
}

// 0.1234, −1.23e−5
export function number(x) {
  return written(x, digits);
}

// The same for a narrow place: fewer digits, unless all are wanted.
export function narrow(x) {
  if (digits > 4) return number(x);
  const size = Math.abs(x);
  return written(x, size < 1e-3 ? 1 : size < 1e-2 ? 2 : 3);
}

function written(x, digits) {
  if (x === 0) return "0";
  const size = Math.abs(x);
  let text = size >= 1e-3 && size < 1e6 ? x.toPrecision(digits) : x.toExponential(digits - 1);
  if (text.includes("e") && size >= 1e-3 && size < 1e6) text = String(Number(text));
  return text.replaceAll("-", "−");
}

export function signed(x) {
  return x < 0 ? number(x) : `+${number(x)}`;
}

// A number as a term of a sum: in brackets where it is negative.
export function term(x) {
  return x < 0 ? `(${number(x)})` : number(x);
}

// How far apart two numbers are that should be one.
export function apart(difference) {
  return difference === 0 ? "exactly the same" : `apart by ${difference.toExponential(1).replace("-", "−")}`;
}

export function whole(n) {
  return n.toLocaleString("en");
}

export function el(tag, properties = {}, ...inside) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "role" || name === "for") made.setAttribute(name, value);
    else if (name === "data") Object.assign(made.dataset, value);
    else if (name === "onclick") made.addEventListener("click", value);
    else made[name] = value;
  }
  made.append(...inside.filter((each) => each !== null && each !== undefined));
  return made;
}

export function ground() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

// A background between the panel and the tone of a number, as strong as the number.
export function tint(element, x, scale) {
  const strength = Math.min(Math.abs(x) / (scale || 1), 1) * 55;
  element.style.setProperty("--tint", `${strength.toFixed(0)}%`);
  element.classList.toggle("minus", x < 0);
}
