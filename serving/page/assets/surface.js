// Shaded surfaces of the classes in a box labelled with the patient's directions, turned by pointer and arrow keys. The
// number of triangles is small enough to sort them by depth and paint them one after the other.
class Surface {
  constructor(canvas, shapeZyx, classes) {
    this.canvas = canvas;
    this.size = [shapeZyx[2], shapeZyx[1], shapeZyx[0]];
    this.classes = classes;
    [this.yaw, this.pitch] = [0.5, 0.25];
    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) this.turn(event.movementX * 0.01, event.movementY * 0.01);
    });
    canvas.addEventListener("keydown", (event) => {
      const by = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
      if (!by) return;
      event.preventDefault();
      this.turn(...by);
    });
    this.draw();
  }

  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.max(-1.5, Math.min(1.5, this.pitch + pitch));
    this.draw();
  }

  // Voxel position to [right, down, depth] on the screen: view from the front, the patient's right is on the left.
  project(x, y, z) {
    const [a, b, c] = [x - this.size[0] / 2, y - this.size[1] / 2, z - this.size[2] / 2];
    const [sinYaw, cosYaw, sinPitch, cosPitch] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
    const [right, depth] = [a * cosYaw + b * sinYaw, -a * sinYaw + b * cosYaw];
    return [right, -(c * cosPitch) + depth * sinPitch, depth * cosPitch + c * sinPitch];
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const { width, height } = this.canvas;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    const scale = (0.9 * Math.min(width, height)) / Math.hypot(...this.size);
    context.setTransform(scale, 0, 0, scale, width / 2, height / 2);
    this.drawBox(context, scale);
    const triangles = this.classes.filter(({ shown }) => shown).flatMap((one) => this.triangles(one));
    triangles.sort((one, other) => other.depth - one.depth);
    for (const { corners, colour } of triangles) {
      context.fillStyle = context.strokeStyle = colour;
      context.lineWidth = 0.5 / scale;
      context.beginPath();
      corners.forEach(([x, y], place) => (place ? context.lineTo(x, y) : context.moveTo(x, y)));
      context.closePath();
      context.fill();
      context.stroke();
    }
  }

  triangles({ surface, colour }) {
    const points = [];
    for (let at = 0; at < surface.points.length; at += 3) {
      points.push(this.project(...surface.points.slice(at, at + 3).map((tenths) => tenths / 10)));
    }
    const rgb = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    const found = [];
    for (let at = 0; at < surface.triangles.length; at += 3) {
      const corners = [0, 1, 2].map((place) => points[surface.triangles[at + place]]);
      const [a, b, c] = corners;
      const [u, v] = [b.map((value, axis) => value - a[axis]), c.map((value, axis) => value - a[axis])];
      const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      const facing = Math.abs(normal[2]) / (Math.hypot(...normal) || 1);
      const shade = 0.35 + 0.65 * facing;
      found.push({ corners, depth: a[2] + b[2] + c[2], colour: `rgb(${rgb.map((part) => Math.round(part * shade))})` });
    }
    return found;
  }

  drawBox(context, scale) {
    const [x, y, z] = this.size;
    const corner = (place) => this.project(place & 1 ? x : 0, place & 2 ? y : 0, place & 4 ? z : 0);
    context.strokeStyle = "#555";
    context.lineWidth = 1 / scale;
    context.beginPath();
    for (let place = 0; place < 8; place++) {
      for (const bit of [1, 2, 4]) {
        if (place & bit) continue;
        context.moveTo(...corner(place).slice(0, 2));
        context.lineTo(...corner(place | bit).slice(0, 2));
      }
    }
    context.stroke();
    context.fillStyle = "#ddd";
    context.font = `${16 / scale}px sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const ends = { R: [0, y / 2, z / 2], L: [x, y / 2, z / 2], A: [x / 2, 0, z / 2], P: [x / 2, y, z / 2], H: [x / 2, y / 2, z], F: [x / 2, y / 2, 0] };
    for (const [letter, place] of Object.entries(ends)) context.fillText(letter, ...this.project(...place).slice(0, 2));
  }
}
