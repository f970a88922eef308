// Page of a case: its volumes are stored in the script `<name>.js`, as .nii.gz in base64.
const content = JSON.parse(document.getElementById("content").textContent);
const byId = (id) => document.getElementById(id);
const WINDOW_NAMES = { lung: "Lung", soft_tissue: "Soft tissue", bone: "Bone", wide: "Wide" };

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return URL.createObjectURL(new Blob([await new Response(stream).arrayBuffer()]));
}

function addBox(name, colour, change) {
  const [label, box] = [document.createElement("label"), document.createElement("input")];
  [box.type, box.checked] = ["checkbox", true];
  label.style.borderBottom = `3px solid ${colour}`;
  label.style.marginRight = "1rem";
  label.append(box, ` ${name}`);
  box.addEventListener("change", () => change(box.checked));
  byId("classes").append(label);
}

function fillControls(full) {
  const [window, view] = [byId("window"), byId("view")];
  const windows = { Report: content.window, ...content.windows };
  for (const name of Object.keys(windows)) window.append(new Option(WINDOW_NAMES[name] || "As in the report", name));
  window.addEventListener("change", () => full.setWindow(windows[window.value]));
  view.addEventListener("change", () => full.setView(view.value));
  byId("tool").addEventListener("change", () => full.setTool(byId("tool").value));
  byId("clear").addEventListener("click", () => full.viewer.clearAllMeasurements());
  byId("reset").addEventListener("click", () => full.reset());
  byId("style").addEventListener("change", () => {
    full.filled = byId("style").value === "area";
    full.opacity = full.filled ? 0.4 : 1;
    full.colour();
  });
  for (const one of content.classes) {
    addBox(one.name, one.colour, (shown) => {
      one.shown = shown;
      full.colour();
    });
  }
  if (packed.label) {
    addBox("Label", "#999", (shown) => {
      full.ownShown = shown;
      full.colour();
    });
  }
  view.value = innerWidth < 600 ? "axial" : "view_all";
  full.setView(view.value);
}

let full = null;

async function showCase() {
  if (!hasWebGL2()) return false;
  const places = Object.fromEntries([...document.querySelectorAll("[data-told]")].map((place) => [place.dataset.told, place]));
  const volumes = {};
  for (const [name, text] of Object.entries(packed)) volumes[name] = await unpacked(text);
  full = new FullViewer(byId("full"), places, volumes, content.classes, content.own_colour);
  await full.show(content.window, "Loading …");
  fillControls(full);
  full.jump(content.at_xyz_mm);
  full.colour();
  return true;
}

function tell(error) {
  byId("problem").textContent = `The viewer at full resolution failed (${error.message || error}); the report itself shows coarse slices.`;
  return false;
}

showCase().catch(tell).then((shown) => {
  byId("full").hidden = byId("pointer").hidden = !shown;
  byId("problem").hidden = shown;
  document.body.dataset.full = shown;
});
