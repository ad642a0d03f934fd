// Numbers as text.
let digits = 4;

export function showAllDigits(all) {
  digits = all ? 9 : 4; // nine tell every float32 from its neighbours
}

// 0.1234, −1.23e−5
export function number(x) {
  return written(x, digits);
}

// The same for a narrow column: fewer digits, unless all are shown.
export function narrow(x) {
  if (digits > 4) return number(x);
  const size = Math.abs(x);
  return written(x, size < 1e-3 ? 1 : size < 1e-2 ? 2 : 3);
}

// The same at the end of a colour scale, where a small number may have two digits.
export function endOfScale(x) {
  return digits > 4 || Math.abs(x) >= 1e-2 ? narrow(x) : written(x, 2);
}

// The power of ten that a table's numbers are written in units of: 0 unless all of them are small.
export function commonPower(numbers) {
  const largest = Math.max(...numbers.map(Math.abs));
  return digits > 4 || largest === 0 || largest >= 0.01 ? 0 : 3 * Math.floor(Math.log10(largest) / 3);
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

// The difference of two numbers that are equal but for rounding, in words.
export function differenceText(difference) {
  return difference === 0 ? "exactly the same" : `apart by ${difference.toExponential(1).replace("-", "−")}`;
}

export function whole(n) {
  return n.toLocaleString("en");
}
