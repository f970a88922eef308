"use strict";

// Three linked slices of a volume with axes x, y, z to the left, back and head of the patient.
// A volume has `shape_zyx`, isotropic voxels, gzipped grey values (one byte each), and gzipped masks of the same shape.
// An overlay shows the voxels with a mask value that `has` accepts, in `colour`, if `shown` is true.
const PLANES = [
  { name: "axial", normal: 0, sides: ["R", "L", "A", "P"] },
  { name: "coronal", normal: 1, sides: ["R", "L", "H", "F"] },
  { name: "sagittal", normal: 2, sides: ["A", "P", "H", "F"] },
];
const SCALE = 3; // pixels of the canvas for each voxel, so that outlines are thin

async function unpack(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

class Viewer {
  constructor(root, overlays) {
    this.position = [0, 0, 0];
    this.overlays = overlays;
    this.filled = false; // true for coloured areas, false for outlines
    this.opacity = 1;
    this.panes = PLANES.map((plane) => this.makePane(root, plane));
  }

  makePane(root, plane) {
    const pane = document.createElement("div");
    pane.className = "plane";
    const canvas = document.createElement("canvas");
    const slider = document.createElement("input");
    slider.type = "range";
    slider.min = 0;
    slider.setAttribute("aria-label", `${plane.name} slice`);
    pane.append(canvas, slider, plane.name);
    root.append(pane);
    slider.addEventListener("input", () => this.move(plane.normal, Number(slider.value)));
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.move(plane.normal, this.position[plane.normal] - Math.sign(event.deltaY));
    }, { passive: false });
    canvas.addEventListener("click", (event) => this.moveOthers(plane, canvas, event));
    canvas.tabIndex = 0;
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowUp: 1, ArrowRight: 1, PageUp: 10, ArrowDown: -1, ArrowLeft: -1, PageDown: -10 }[event.key];
      if (!step) return;
      event.preventDefault();
      this.move(plane.normal, this.position[plane.normal] + step);
    });
    return { plane, canvas, slider };
  }

  async show(volume) {
    this.shape = volume.shape_zyx;
    [this.grey, this.masks] = await Promise.all([this.greyValues(volume), unpack(volume.masks)]);
    this.position = [...volume.focus_zyx];
    for (const { plane, slider } of this.panes) slider.max = this.shape[plane.normal] - 1;
    this.draw();
  }

  greyValues(volume) {
    return unpack(volume.grey);
  }

  // The array axes of a plane's rows and columns; rows of coronal and sagittal slices run to the head (`upwards`).
  axes(plane) {
    const [rows, columns] = [0, 1, 2].filter((axis) => axis !== plane.normal);
    return { rows, columns, upwards: plane.normal !== 0 };
  }

  move(axis, index) {
    this.position[axis] = Math.max(0, Math.min(this.shape[axis] - 1, index));
    this.draw();
  }

  moveOthers(plane, canvas, event) {
    const { rows, columns, upwards } = this.axes(plane);
    const box = canvas.getBoundingClientRect();
    const row = Math.floor(((event.clientY - box.top) / box.height) * this.shape[rows]);
    this.position[rows] = Math.max(0, Math.min(this.shape[rows] - 1, upwards ? this.shape[rows] - 1 - row : row));
    this.move(columns, Math.floor(((event.clientX - box.left) / box.width) * this.shape[columns]));
  }

  // The values of `source` in a slice, row by row as they are drawn.
  slice(source, plane) {
    const { rows, columns, upwards } = this.axes(plane);
    const steps = [this.shape[1] * this.shape[2], this.shape[2], 1];
    const start = this.position[plane.normal] * steps[plane.normal];
    const [height, width] = [this.shape[rows], this.shape[columns]];
    const values = new Uint8Array(height * width);
    for (let row = 0; row < height; row++) {
      const from = start + (upwards ? height - 1 - row : row) * steps[rows];
      for (let column = 0; column < width; column++) values[row * width + column] = source[from + column * steps[columns]];
    }
    return { values, height, width };
  }

  draw() {
    for (const { plane, canvas, slider } of this.panes) {
      slider.value = this.position[plane.normal];
      const { values, height, width } = this.slice(this.grey, plane);
      canvas.width = width * SCALE;
      canvas.height = height * SCALE;
      const context = canvas.getContext("2d");
      context.drawImage(greyPicture(values, height, width), 0, 0, canvas.width, canvas.height);
      const masks = this.slice(this.masks, plane);
      context.globalAlpha = this.opacity;
      for (const overlay of this.overlays.filter(({ shown }) => shown)) {
        (this.filled ? drawArea : drawOutline)(context, masks, overlay);
      }
      context.globalAlpha = 1;
      this.drawCross(context, plane);
      drawSides(context, plane.sides);
    }
  }

  drawCross(context, plane) {
    const { rows, columns, upwards } = this.axes(plane);
    const row = upwards ? this.shape[rows] - 1 - this.position[rows] : this.position[rows];
    const [x, y] = [(this.position[columns] + 0.5) * SCALE, (row + 0.5) * SCALE];
    context.strokeStyle = "rgba(255, 255, 255, 0.35)";
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x, 0);
    context.lineTo(x, context.canvas.height);
    context.moveTo(0, y);
    context.lineTo(context.canvas.width, y);
    context.stroke();
  }
}

function greyPicture(values, height, width) {
  const picture = document.createElement("canvas");
  [picture.width, picture.height] = [width, height];
  const context = picture.getContext("2d");
  const pixels = context.createImageData(width, height);
  values.forEach((value, place) => pixels.data.set([value, value, value, 255], place * 4));
  context.putImageData(pixels, 0, 0);
  return picture;
}

// Draw the edges between voxels inside and outside a mask.
function drawOutline(context, { values, height, width }, { has, colour }) {
  const inside = (row, column) =>
    row >= 0 && column >= 0 && row < height && column < width && has(values[row * width + column]);
  context.strokeStyle = colour;
  context.lineWidth = SCALE / 2;
  context.beginPath();
  for (let row = 0; row <= height; row++) {
    for (let column = 0; column <= width; column++) {
      const here = inside(row, column);
      if (here !== inside(row - 1, column)) {
        context.moveTo(column * SCALE, row * SCALE);
        context.lineTo((column + 1) * SCALE, row * SCALE);
      }
      if (here !== inside(row, column - 1)) {
        context.moveTo(column * SCALE, row * SCALE);
        context.lineTo(column * SCALE, (row + 1) * SCALE);
      }
    }
  }
  context.stroke();
}

function drawArea(context, { values, width }, { has, colour }) {
  context.fillStyle = colour;
  values.forEach((value, place) => {
    if (has(value)) context.fillRect((place % width) * SCALE, Math.floor(place / width) * SCALE, SCALE, SCALE);
  });
}

function drawSides(context, [left, right, top, bottom]) {
  const { width, height } = context.canvas;
  context.fillStyle = "white";
  context.font = "16px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (const [letter, x, y] of [[left, 12, height / 2], [right, width - 12, height / 2], [top, width / 2, 12],
    [bottom, width / 2, height - 12]]) {
    context.fillText(letter, x, y);
  }
}
