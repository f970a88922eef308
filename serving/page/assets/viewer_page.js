const { scene, texts } = JSON.parse(document.getElementById("data").textContent);

// The slices in HU, which a window turns into grey.
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

const overlays = scene.classes.map((one, place) => ({ ...one, shown: true, has: (value) => value === place + 1 }));
const viewer = new WindowedViewer(document.getElementById("planes"), overlays);
for (const { plane, slider } of viewer.panes) {
  slider.nextSibling.textContent = texts[plane.name];
  slider.setAttribute("aria-label", texts[plane.name]);
}
const surface = new Surface(document.getElementById("surface"), scene.shape_zyx, overlays);

function redraw() {
  viewer.draw();
  surface.draw();
}

function fillChoices() {
  const [window, style, opacity] = ["window", "style", "opacity"].map((id) => document.getElementById(id));
  window.addEventListener("change", () => viewer.setWindow(scene.windows[window.value]));
  style.addEventListener("change", () => {
    viewer.filled = style.value === "area";
    opacity.value = viewer.filled ? 40 : 100;
    opacity.dispatchEvent(new Event("input"));
  });
  opacity.addEventListener("input", () => {
    viewer.opacity = opacity.value / 100;
    viewer.draw();
  });
  for (const overlay of overlays) {
    const [label, box] = [document.createElement("label"), document.createElement("input")];
    [box.type, box.checked] = ["checkbox", true];
    label.style.borderColor = overlay.colour;
    label.append(box, ` ${overlay.name}`);
    box.addEventListener("change", () => {
      overlay.shown = box.checked;
      redraw();
    });
    document.getElementById("classes").append(label);
  }
}

function fillRows() {
  const body = document.querySelector("#rows tbody");
  for (const row of scene.rows) {
    const line = body.insertRow();
    line.tabIndex = 0;
    const cells = [row.label, row.volume, row.longest_diameter_mm.toFixed(1), row.centre_xyz_mm.join(", "), row.mean_hu];
    for (const text of cells) line.insertCell().textContent = text;
    const dot = document.createElement("i");
    dot.style.background = row.colour;
    line.cells[0].prepend(dot);
    const jump = () => {
      for (const other of body.rows) other.setAttribute("aria-selected", other === line);
      viewer.position = [...row.at_zyx];
      viewer.draw();
    };
    line.addEventListener("click", jump);
    line.addEventListener("keydown", (event) => event.key === "Enter" && jump());
  }
}

viewer.window = scene.windows[Object.keys(scene.windows)[0]];
fillChoices();
fillRows();
viewer.show(scene).then(() => document.body.setAttribute("data-ready", "true"));
