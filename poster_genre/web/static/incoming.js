// Pictures that are dropped on the page or pasted into it.
export function takeIncoming(add) {
  let depth = 0; // dragenter and dragleave come for every element under the pointer
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) document.body.classList.toggle("dragging", (depth += 1) > 0);
  });
  addEventListener("dragleave", (event) => {
    if (carriesFiles(event)) document.body.classList.toggle("dragging", (depth -= 1) > 0);
  });
  addEventListener("dragover", (event) => {
    if (carriesFiles(event)) event.preventDefault();
  });
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dragging");
    add([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length) {
      event.preventDefault();
      add(files);
    }
  });
}
