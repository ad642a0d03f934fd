// A step's feature maps side by side on one canvas. Drawn when it comes into view; arrow keys go from map to map.

const GAP = 3;
const ROWS = 2; // shown until all are requested

export class Strip {
  // step: as POST /api/v1/inside describes it; choose({ channel, row, column }) is called for a click or a key.
  constructor(step, choose) {
    Object.assign(this, { step, choose, chosen: null, atlas: null, all: false, columns: 1, path: null });
    this.canvas = document.createElement("canvas");
    this.canvas.className = "strip";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "slider");
    this.canvas.setAttribute("aria-label", `${step.image ? "Feature maps" : "Numbers"} of ${step.title}, ${step.name}`);
    this.canvas.setAttribute("aria-valuemin", "0");
    this.canvas.setAttribute("aria-valuemax", String(step.channels - 1));
    this.describe();
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.canvas.addEventListener("keydown", (event) => this.key(event));
  }

  // Pixels of the page that a map takes.
  tile() {
    const { height, width, image } = this.step;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    if (!image) return { height: 0.95 * rem, width: 0.95 * rem };
    const tall = (height > 40 ? 4.75 : height > 20 ? 3.75 : 3) * rem;
    return { height: Math.round(tall), width: Math.round((tall * width) / height) };
  }

  layOut() {
    const room = this.canvas.parentElement?.clientWidth ?? 0;
    if (!room) return;
    const { height, width } = this.tile();
    this.columns = Math.max(1, Math.min(this.step.channels, Math.floor((room + GAP) / (width + GAP))));
    const needed = Math.ceil(this.step.channels / this.columns);
    this.rows = this.all || !this.step.image ? needed : Math.min(ROWS, needed);
    this.hides = needed > this.rows;
    const css = { width: this.columns * (width + GAP) - GAP, height: this.rows * (height + GAP) - GAP };
    this.canvas.style.width = `${css.width}px`;
    this.canvas.style.height = `${css.height}px`;
    const dense = Math.min(devicePixelRatio || 1, 2);
    this.canvas.width = Math.round(css.width * dense);
    this.canvas.height = Math.round(css.height * dense);
    this.dense = dense;
    this.draw();
  }

  draw() {
    const pen = this.canvas.getContext("2d");
    const { height, width } = this.tile();
    pen.setTransform(this.dense, 0, 0, this.dense, 0, 0);
    pen.clearRect(0, 0, this.canvas.width, this.canvas.height);
    pen.imageSmoothingEnabled = this.step.tile[0] > height;
    pen.imageSmoothingQuality = "high";
    const shown = Math.min(this.step.channels, this.rows * this.columns);
    for (let channel = 0; channel < shown; channel += 1) {
      const x = (channel % this.columns) * (width + GAP);
      const y = Math.floor(channel / this.columns) * (height + GAP);
      this.drawTile(pen, channel, x, y, width, height);
      if (channel === this.chosen) {
        pen.strokeStyle = getComputedStyle(this.canvas).getPropertyValue("--accent");
        pen.lineWidth = 3;
        pen.strokeRect(x + 0.5, y + 0.5, width - 1, height - 1);
      }
    }
  }

  drawTile(pen, channel, x, y, width, height) {
    if (!this.atlas) {
      pen.fillStyle = getComputedStyle(this.canvas).getPropertyValue("--sunk");
      pen.fillRect(x, y, width, height);
      return;
    }
    const [tall, wide] = this.step.tile;
    const across = this.step.columns;
    const left = (channel % across) * wide;
    const top = Math.floor(channel / across) * tall;
    pen.drawImage(this.atlas, left, top, wide, tall, x, y, width, height);
  }

  // Resolves when the maps of this session, or their gradients, are drawn. view: as for TraceSession.mapsPath.
  load(session, view) {
    const path = session.mapsPath(this.step.step, view);
    if (this.path !== path || this.session !== session) {
      this.path = path;
      this.session = session;
      this.loading = session.picture(path).then((atlas) => {
        if (this.path !== path || this.session !== session) return;
        this.atlas = atlas;
        if (this.rows) this.draw();
      });
    }
    return this.loading;
  }

  mark(channel) {
    if (this.chosen === channel) return;
    this.chosen = channel;
    if (channel !== null && this.hides && channel >= this.rows * this.columns) this.showAll(true);
    else if (this.rows) this.draw();
    this.describe();
  }

  describe() {
    const channel = this.chosen ?? 0;
    this.canvas.setAttribute("aria-valuenow", String(channel));
    this.canvas.setAttribute("aria-valuetext", `${this.step.image ? "map" : "number"} ${channel} of ${this.step.channels}`);
  }

  showAll(all) {
    this.all = all;
    this.resize();
  }

  resize() {
    this.layOut();
    this.onresize?.();
  }

  click(event) {
    const { height, width } = this.tile();
    const box = this.canvas.getBoundingClientRect();
    // A click on the very edge may lie a fraction of a pixel outside.
    const x = Math.max(0, event.clientX - box.left);
    const y = Math.max(0, event.clientY - box.top);
    const column = Math.min(Math.floor(x / (width + GAP)), this.columns - 1);
    const row = Math.floor(y / (height + GAP));
    const channel = row * this.columns + column;
    if (channel >= this.step.channels || row >= this.rows) return;
    const within = (offset, size, count) => Math.max(0, Math.min(Math.floor((offset / size) * count), count - 1));
    this.choose({
      channel,
      row: within(y - row * (height + GAP), height, this.step.height),
      column: within(x - column * (width + GAP), width, this.step.width),
    });
  }

  key(event) {
    const channel = this.chosen ?? 0;
    const last = this.step.channels - 1;
    const to = {
      ArrowRight: channel + 1,
      ArrowLeft: channel - 1,
      ArrowDown: channel + this.columns,
      ArrowUp: channel - this.columns,
      Home: 0,
      End: last,
      Enter: channel,
      " ": channel,
    }[event.key];
    if (to === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.choose({ channel: Math.max(0, Math.min(to, last)) });
  }
}
