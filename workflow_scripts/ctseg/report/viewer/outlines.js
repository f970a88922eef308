"use strict";

// Outlines of masks and a thin cross over NiiVue's slices, on a separate canvas: NiiVue itself marks whole voxels, also
// of neighbouring slices. Axes x, y, z run to right, front and head; each plane has two of them.
const PLANE_AXES = [[0, 1], [0, 2], [1, 2]]; // axes across and up of axial, coronal and sagittal slices
const NORMAL_AXES = [2, 1, 0];
const CROSS = "rgba(255, 255, 255, 0.55)";
const CROSS_GAP = 10; // free pixels on each side of the centre, so that the cross hides nothing

class Outlines {
  // `wanted` returns the masks to draw: [{ volume, colours: one or null for each value from 1 on, width }], last on top
  constructor(viewer, canvas, wanted) {
    Object.assign(this, { viewer, canvas, wanted, voxels: new Map() });
    const draw = viewer.drawScene.bind(viewer);
    viewer.drawScene = (...given) => {
      const done = draw(...given);
      this.draw();
      return done;
    };
  }

  // The voxels of a mask with axes to right, front and head, x fastest.
  of(volume) {
    if (!this.voxels.has(volume.id)) this.voxels.set(volume.id, volume.img2RAS());
    return this.voxels.get(volume.id);
  }

  draw() {
    const { viewer, canvas } = this;
    Object.assign(canvas, { width: viewer.canvas.width, height: viewer.canvas.height }); // also clears it
    if (!viewer.volumes.length) return;
    const context = canvas.getContext("2d");
    const [low, high] = [viewer.frac2mm([0, 0, 0]), viewer.frac2mm([1, 1, 1])];
    for (const tile of viewer.screenSlices.filter(({ axCorSag, AxyzMxy }) => axCorSag <= 2 && AxyzMxy.length >= 4)) {
      const [left, top, width, height] = tile.leftTopWidthHeight;
      context.save();
      context.beginPath();
      context.rect(Math.min(left, left + width), top, Math.abs(width), height);
      context.clip();
      const [across, up] = PLANE_AXES[tile.axCorSag];
      const x = (share) => left + ((low[across] + share * (high[across] - low[across]) - tile.leftTopMM[0]) / tile.fovMM[0]) * width;
      const y = (share) => top + (1 - (low[up] + share * (high[up] - low[up]) - tile.leftTopMM[1]) / tile.fovMM[1]) * height;
      for (const mask of this.wanted()) this.drawMask(context, tile, mask, x, y);
      this.drawCross(context, x(viewer.scene.crosshairPos[across]), y(viewer.scene.crosshairPos[up]));
      context.restore();
    }
  }

  drawMask(context, tile, { volume, colours, width }, x, y) {
    const sizes = volume.dimsRAS.slice(1, 4);
    const steps = [1, sizes[0], sizes[0] * sizes[1]];
    const [across, up] = PLANE_AXES[tile.axCorSag];
    const normal = NORMAL_AXES[tile.axCorSag];
    const place = Math.max(0, Math.min(sizes[normal] - 1, Math.floor(this.viewer.scene.crosshairPos[normal] * sizes[normal])));
    const [columns, rows] = [sizes[across], sizes[up]];
    const voxels = this.of(volume);
    const start = place * steps[normal];
    const at = (column, row) =>
      column < 0 || row < 0 || column >= columns || row >= rows ? 0 : voxels[start + column * steps[across] + row * steps[up]];
    const paths = colours.map(() => new Path2D());
    const edge = (value, from, to) => {
      if (!value || !colours[value - 1]) return;
      paths[value - 1].moveTo(x(from[0] / columns), y(from[1] / rows));
      paths[value - 1].lineTo(x(to[0] / columns), y(to[1] / rows));
    };
    for (let row = 0; row <= rows; row++) {
      for (let column = 0; column <= columns; column++) {
        const [here, before, below] = [at(column, row), at(column - 1, row), at(column, row - 1)];
        if (here !== before) for (const value of [here, before]) edge(value, [column, row], [column, row + 1]);
        if (here !== below) for (const value of [here, below]) edge(value, [column, row], [column + 1, row]);
      }
    }
    context.lineWidth = width * (devicePixelRatio || 1);
    paths.forEach((path, index) => {
      context.strokeStyle = colours[index];
      context.stroke(path);
    });
  }

  drawCross(context, x, y) {
    context.strokeStyle = CROSS;
    context.lineWidth = 1;
    context.beginPath();
    for (const [from, to] of [[0, x - CROSS_GAP], [x + CROSS_GAP, this.canvas.width]]) {
      context.moveTo(from, y);
      context.lineTo(to, y);
    }
    for (const [from, to] of [[0, y - CROSS_GAP], [y + CROSS_GAP, this.canvas.height]]) {
      context.moveTo(x, from);
      context.lineTo(x, to);
    }
    context.stroke();
  }
}
