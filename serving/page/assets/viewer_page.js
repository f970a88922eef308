const { scene, texts, volumes, script, own_colour } = JSON.parse(document.getElementById("data").textContent);

// Slice viewer that stores HU and maps them to grey values with a HU window.
class WindowedViewer extends Viewer {
  async greyValues(volume) {
    this.hu = new Int16Array((await unpack(volume.grey)).buffer);
    return this.windowed();
  }

  windowed() {
    const [low, high] = this.window;
    return Uint8Array.from(this.hu, (value) => Math.max(0, Math.min(255, ((value - low) / (high - low)) * 255)));
  }

  setWindow(window) {
    this.window = window;
    if (!this.hu) return;
    this.grey = this.windowed();
    this.draw();
  }
}

const byId = (id) => document.getElementById(id);
const overlays = scene.classes.map((one, place) => ({ ...one, shown: true, has: (value) => value === place + 1 }));
const viewer = new WindowedViewer(byId("planes"), overlays);
let full = null; // the viewer at full resolution, once it is loaded
for (const { plane, slider } of viewer.panes) {
  slider.nextSibling.textContent = texts[plane.name];
  slider.setAttribute("aria-label", texts[plane.name]);
}
const surface = new Surface(byId("surface"), scene.shape_zyx, overlays);

function redraw() {
  if (full) full.colour();
  else viewer.draw();
  surface.draw();
}

function addBox(name, colour, change) {
  const [label, box] = [document.createElement("label"), document.createElement("input")];
  [box.type, box.checked] = ["checkbox", true];
  label.style.borderColor = colour;
  label.append(box, ` ${name}`);
  box.addEventListener("change", () => change(box.checked));
  byId("classes").append(label);
}

function fillChoices() {
  const [window, style, opacity] = ["window", "style", "opacity"].map(byId);
  window.addEventListener("change", () => (full || viewer).setWindow(scene.windows[window.value]));
  style.addEventListener("change", () => {
    viewer.filled = style.value === "area";
    if (full) full.filled = viewer.filled;
    opacity.value = viewer.filled ? 40 : 100;
    opacity.dispatchEvent(new Event("input"));
  });
  opacity.addEventListener("input", () => {
    viewer.opacity = opacity.value / 100;
    if (full) full.opacity = viewer.opacity;
    redraw();
  });
  for (const overlay of overlays) {
    addBox(overlay.name, overlay.colour, (shown) => {
      overlay.shown = shown;
      redraw();
    });
  }
}

function fillRows() {
  const body = document.querySelector("#rows tbody");
  for (const row of scene.rows) {
    const line = body.insertRow();
    line.tabIndex = 0;
    const cells = [row.label, row.volume, row.longest_diameter_mm.toFixed(1), row.centre_xyz_mm.map(Math.round).join(", "), row.mean_hu];
    for (const text of cells) line.insertCell().textContent = text;
    const dot = document.createElement("i");
    dot.style.background = row.colour;
    line.cells[0].prepend(dot);
    const jump = () => {
      for (const other of body.rows) other.setAttribute("aria-selected", other === line);
      viewer.position = [...row.at_zyx];
      viewer.draw();
      if (full) full.jump(row.centre_xyz_mm);
    };
    line.addEventListener("click", jump);
    line.addEventListener("keydown", (event) => event.key === "Enter" && jump());
  }
}

// Replaces the coarse slices by the viewer at full resolution if the browser supports it.
async function showFull() {
  if (!script || !hasWebGL2()) return false;
  const [root, hint] = [byId("full"), byId("hint")];
  const coarseHint = hint.textContent;
  hint.textContent = texts.loading;
  try {
    await loadScript(script);
    root.hidden = false;
    const told = Object.fromEntries([...document.querySelectorAll("[data-told]")].map((place) => [place.dataset.told, place]));
    const made = new FullViewer(root, told, volumes, overlays, own_colour);
    await made.show(scene.windows[byId("window").value], texts.loading);
    Object.assign(made, { filled: viewer.filled, opacity: viewer.opacity });
    full = made;
  } catch {
    root.hidden = true;
    hint.textContent = coarseHint;
    return false;
  }
  hint.textContent = texts.hint_full;
  byId("planes").hidden = true;
  byId("pointer").hidden = byId("tools").hidden = false;
  fillTools();
  return true;
}

function fillTools() {
  const view = byId("view");
  view.addEventListener("change", () => full.setView(view.value));
  byId("tool").addEventListener("change", () => full.setTool(byId("tool").value));
  byId("clear").addEventListener("click", () => full.viewer.clearAllMeasurements());
  byId("reset").addEventListener("click", () => full.reset());
  if (volumes.label) {
    addBox(texts.own, own_colour, (shown) => {
      full.ownShown = shown;
      full.colour();
    });
  }
  view.value = innerWidth < 600 ? "axial" : "view_all";
  full.setView(view.value);
  const start = scene.rows[0];
  if (start) full.jump(start.centre_xyz_mm);
  full.colour();
}

viewer.window = scene.windows[Object.keys(scene.windows)[0]];
fillChoices();
fillRows();
viewer.show(scene).then(async () => {
  document.body.dataset.ready = "true";
  document.body.dataset.full = await showFull();
});
