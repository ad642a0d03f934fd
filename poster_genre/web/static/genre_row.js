// The row of one genre: its name, its value and its bar. predict.html has the first three of them.
import { element } from "./element.js";

export function genreRow() {
  const bar = element("span", { className: "bar", ariaHidden: "true" }, element("span", { className: "fill" }));
  const button = element(
    "button",
    { type: "button", className: "genre", ariaPressed: "false" },
    element("span", { className: "name" }),
    element("span", { className: "value" }),
    bar,
  );
  return element("li", {}, button);
}
