// Elements with attributes, and the colours of the page.
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

// That of the page's colours: the query parameter of the same name.
export function background() {
  return document.documentElement.dataset.theme === "dark" ? "dark" : "light";
}

// A background between the panel and the tone of a number, as strong as the number.
export function tint(element, x, scale) {
  const strength = Math.min(Math.abs(x) / (scale || 1), 1) * 55;
  element.style.setProperty("--tint", `${strength.toFixed(0)}%`);
  element.classList.toggle("minus", x < 0);
}
