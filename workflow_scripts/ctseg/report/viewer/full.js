"use strict";

// Viewer of a scan at full resolution in WebGL2, by NiiVue (`window.Niivue`): windowing, zoom, pan, measuring, and the
// value under the pointer. NiiVue's millimetres run to right, front and head; the page shows DICOM's: left, back, head.
const SLICES = { axial: 0, coronal: 1, sagittal: 2, view_all: 3 };
const NORMALS = [2, 1, 0, 2]; // index of the axis (x, y, z) that each view moves along
const DRAG = { tool_move: 8, tool_window: 0, tool_zoom: 3, tool_measure: 2, tool_angle: 7 };
const PAN = 3;
const NO_KEY = "none";
const WHEEL_STEPS = { ArrowUp: 1, ArrowRight: 1, PageUp: 10, ArrowDown: -1, ArrowLeft: -1, PageDown: -10 };

function hasWebGL2() {
  return Boolean(document.createElement("canvas").getContext("webgl2"));
}

function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(`${address} is missing`)));
    script["src"] = address;
    document.head.append(script);
  });
}

class FullViewer {
  // `volumes` has the addresses of scan, segmentation and, if it exists, label; `classes` are those of the segmentation.
  constructor(root, pointer, volumes, classes, ownColour) {
    Object.assign(this, { root, pointer, volumes, classes, ownColour, opacity: 1, filled: false, ownShown: true });
    [this.canvas, this.overlay] = root.querySelectorAll("canvas");
    this.dragged = null;
  }

  async show(window, loadingText) {
    this.viewer = new Niivue({
      isRadiologicalConvention: true,
      sagittalNoseLeft: true,
      multiplanarShowRender: 0,
      multiplanarPadPixels: 4,
      tileMargin: 4,
      crosshairWidth: 0,
      measureLineColor: [1, 0.9, 0.2, 1],
      measureTextColor: [1, 0.9, 0.2, 1],
      fontColor: [0.85, 0.85, 0.85, 1],
      fontSizeScaling: 0.3,
      dragAndDropEnabled: false,
      viewModeHotKey: NO_KEY,
      clipPlaneHotKey: NO_KEY,
      cycleClipPlaneHotKey: NO_KEY,
      loadingText,
      logLevel: "error",
      isAntiAlias: true,
    });
    await this.viewer.attachToCanvas(this.canvas);
    const [low, high] = window;
    const names = ["scan", "segmentation", "label"].filter((name) => this.volumes[name]);
    const given = names.map((name) => ({ url: this.volumes[name], name: `${name}.nii`, colormap: "gray", opacity: 0 }));
    Object.assign(given[0], { cal_min: low, cal_max: high, opacity: 1 });
    await this.viewer.loadVolumes(given);
    this.home = window;
    this.outlines = new Outlines(this.viewer, this.overlay, () => this.outlined());
    this.setTool("tool_move");
    this.colour();
    this.listen();
  }

  // Areas are NiiVue's overlay; outlines are drawn over it. A hidden class has no colour.
  colour() {
    const [, segmentation] = this.viewer.volumes;
    const colours = this.classes.map(({ colour, shown }) => (shown ? colour : null));
    const channel = (at) => [0, ...colours.map((colour) => (colour ? parseInt(colour.slice(at, at + 2), 16) : 0))];
    const alpha = [0, ...colours.map((colour) => (colour ? 255 : 0))];
    segmentation.setColormapLabel({ R: channel(1), G: channel(3), B: channel(5), A: alpha, I: alpha.map((_, index) => index) });
    segmentation._opacity = this.filled ? this.opacity : 0;
    this.overlay.style.opacity = this.filled ? 1 : Math.max(this.opacity, 0.05);
    this.viewer.updateGLVolume();
  }

  // Masks to draw as outlines: the label and, thinner and over it, the segmentation, unless it is shown as areas.
  outlined() {
    const [, segmentation, own] = this.viewer.volumes;
    const drawn = [];
    if (own && this.ownShown) drawn.push({ volume: own, colours: this.classes.map(() => this.ownColour), width: 3 });
    if (segmentation && !this.filled) {
      drawn.push({ volume: segmentation, colours: this.classes.map(({ colour, shown }) => (shown ? colour : null)), width: 1.5 });
    }
    return drawn;
  }

  setWindow([low, high]) {
    Object.assign(this.viewer.volumes[0], { cal_min: low, cal_max: high });
    this.viewer.refreshLayers(this.viewer.volumes[0], 0);
    this.viewer.drawScene();
    this.tell();
  }

  setView(name) {
    this.root.classList.toggle("one", name !== "view_all");
    this.viewer.setSliceType(SLICES[name]);
  }

  setTool(name) {
    this.tool = name;
    const drag = DRAG[name];
    this.viewer.setMouseEventConfig({ leftButton: { primary: drag }, rightButton: 0, centerButton: PAN });
    this.viewer.setTouchEventConfig({ singleTouch: drag, doubleTouch: PAN });
    this.viewer.opts.dragMode = drag === PAN ? PAN : 0; // the wheel zooms while this is PAN
    this.canvas.style.cursor = { tool_zoom: "grab", tool_window: "ns-resize" }[name] || "crosshair";
  }

  reset() {
    this.viewer.setPan2Dxyzmm([0, 0, 0, 1]);
    this.viewer.clearAllMeasurements();
    this.setWindow(this.home);
  }

  // Move the cross to the voxel at a point in DICOM's millimetres (LPS).
  jump([x, y, z]) {
    this.viewer.scene.crosshairPos = this.viewer.mm2frac([-x, -y, z]);
    this.viewer.moveCrosshairInVox(0, 0, 0); // to the middle of its voxel
  }

  listen() {
    this.viewer.onLocationChange = (place) => this.tell(place.mm);
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button === 2 || this.tool === "tool_window") this.dragged = [event.clientX, event.clientY];
    });
    addEventListener("pointerup", () => (this.dragged = null));
    this.root.addEventListener("keydown", (event) => this.press(event), { capture: true });
    this.tell(this.viewer.frac2mm(this.viewer.scene.crosshairPos));
  }

  // Keys are not passed on to NiiVue: some of them would change the function of a drag.
  press(event) {
    if (event.target !== this.canvas) return;
    event.stopPropagation();
    const steps = WHEEL_STEPS[event.key];
    if (!steps) return;
    event.preventDefault();
    const move = [0, 0, 0];
    move[NORMALS[this.viewer.opts.sliceType]] = steps;
    this.viewer.moveCrosshairInVox(...move);
  }

  point(event) {
    if (this.dragged) this.dragWindow(event);
    const box = this.canvas.getBoundingClientRect();
    const scale = this.canvas.width / box.width;
    const place = this.viewer.canvasPos2frac([(event.clientX - box.left) * scale, (event.clientY - box.top) * scale]);
    if (place[0] >= 0) this.tell(this.viewer.frac2mm(place));
  }

  // A drag to the right widens the window, a drag upwards darkens the picture, as in other viewers of CT.
  dragWindow(event) {
    const [right, down] = [event.clientX - this.dragged[0], event.clientY - this.dragged[1]];
    this.dragged = [event.clientX, event.clientY];
    const { cal_min: low, cal_max: high } = this.wanted || this.viewer.volumes[0];
    const [level, width] = [(low + high) / 2 - 2 * down, Math.max(2, high - low + 4 * right)];
    const drawn = this.wanted;
    this.wanted = { cal_min: level - width / 2, cal_max: level + width / 2 };
    if (drawn) return; // the next picture is already requested, and uses the latest wanted window
    requestAnimationFrame(() => {
      const { cal_min, cal_max } = this.wanted;
      this.wanted = null;
      this.setWindow([cal_min, cal_max]);
    });
  }

  // Show value, position and window.
  tell(mm = this.told) {
    this.told = mm;
    const scan = this.viewer.volumes[0];
    const [x, y, z] = [-mm[0], -mm[1], mm[2]];
    const value = Math.round(scan.getValue(...scan.mm2vox([mm[0], mm[1], mm[2]])));
    const level = Math.round((scan.cal_min + scan.cal_max) / 2);
    this.pointer.value.textContent = `${value} HU`;
    this.pointer.place.textContent = [x, y, z].map((each) => each.toFixed(1)).join(", ") + " mm";
    this.pointer.window.textContent = `${level} / ${Math.round(scan.cal_max - scan.cal_min)} HU`;
  }
}
