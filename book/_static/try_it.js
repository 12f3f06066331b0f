// The page "Try it": its fields, a worker that trains, and plots. What is computed is computed by the module.
"use strict";

// Runs in a worker, which holds sixteen networks; it looks for messages between two strides.
function trainer() {
  const LANES = 16, STRIDE = 256; // a stride's epochs times N: some milliseconds, though a phone or subnormal numbers take ten times that
  let module, tasks, layout, loss, rate, numbers, reals, heap, epoch, epochs, grid, stride, running = false;
  const channel = new MessageChannel();
  const room = (name) => {
    const [first, rows] = layout.rooms[name];
    return new Float64Array(module.memory.buffer, reals + first * LANES * 8, rows * LANES);
  };
  const onset = () => Array.from(new BigInt64Array(module.memory.buffer, numbers + 8 * layout.tables.onset, LANES), Number);
  const ask = (task, count) => {
    if (module.kbe(heap, heap + 8, task, numbers, reals, loss, 0, rate, epoch, count)) throw new Error("The module failed.");
  };

  function start(given) {
    ({ tasks, layout, loss, rate, epochs, grid } = given);
    module = new WebAssembly.Instance(given.module).exports;
    heap = Math.ceil(module.__heap_base.value / 64) * 64;
    numbers = heap + 64;
    reals = Math.ceil((numbers + 8 * layout.numbers.length) / 64) * 64;
    const rows = Object.values(layout.rooms).reduce((sum, [, count]) => sum + count, 0);
    module.memory.grow(Math.max(0, Math.ceil((reals + rows * LANES * 8 - module.memory.buffer.byteLength) / 65536)));
    new BigInt64Array(module.memory.buffer, numbers, layout.numbers.length).set(whole(layout, given.heads));
    room("floors")[1] = given.floor;
    room("jump").fill(0.25);
    room("weights").set(given.weights);
    room("hidden").set(Array.from(given.inputs, Number));
    room("target").set(Array.from(given.points, (digit) => (digit === "2" ? 1 : 0)));
    room("share").set(Array.from(given.points, (digit) => (digit === "0" ? 0 : given.share)));
    epoch = 0;
    stride = Math.max(1, Math.floor(STRIDE / given.n));
    ask(tasks.forward, 0);
    record();
  }

  // The tables are written as differences from row to row; the kinds of the two heads are the reader's.
  function whole({ numbers: short, tables }, heads) {
    const values = short.slice();
    for (let place = 0; place < 3 * Object.keys(tables).length; place += 3) {
      const [first, rows, columns] = short.slice(place, place + 3);
      for (let k = first + columns; k < first + rows * columns; k++) values[k] += values[k - columns];
    }
    heads.forEach((kind, head) => { values[tables.kinds + head] = kind; });
    return values.map(BigInt);
  }

  function record() {
    ask(tasks.measure, 0);
    const outputs = room("outputs");
    const [measures, errors, sigma] = [room("measures").slice(), room("errors").slice(), outputs.slice(outputs.length / 2)];
    postMessage({ said: "record", epoch, measures, errors, sigma, onset: onset() });
  }

  function advance() {
    const next = grid.find((one) => one > epoch), count = Math.min(stride, next - epoch);
    ask(tasks.advance, count);
    epoch += count;
    if (epoch === next) record();
    else postMessage({ said: "progress", epoch });
  }

  channel.port1.onmessage = () => {
    if (!running) return;
    if (epoch < epochs) advance();
    running = epoch < epochs;
    if (running) channel.port2.postMessage(null);
    else postMessage({ said: "done", epoch });
  };

  const answers = {
    start,
    run() { running = true; channel.port2.postMessage(null); },
    pause() { running = false; postMessage({ said: "paused", epoch }); },
    step() { if (epoch < epochs) { ask(tasks.advance, 1); epoch += 1; record(); } postMessage({ said: "paused", epoch }); },
    state() { postMessage({ said: "state", epoch, weights: room("weights").slice(), outputs: room("outputs").slice(), onset: onset() }); },
  };
  onmessage = ({ data }) => answers[data.ask](data);
}

(async () => {
  const root = document.getElementById("kbe-try"), form = root.querySelector("form");
  const [status, progress, python] = ["status", "progress", "python"].map((name) => root.querySelector(`.kbe-${name}`));
  const buttons = Object.fromEntries([...form.querySelectorAll("button[name]")].map((one) => [one.name, one]));
  const inflate = async (text, read) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")))[read]();
  };

  let draws, module;
  try {
    draws = await inflate(document.getElementById("kbe-draws").textContent, "json");
    module = await WebAssembly.compile(await inflate(KBE_TRAINING.module, "arrayBuffer"));
  } catch (error) {
    root.querySelector(".kbe-why").hidden = false;
    return;
  }

  // --- fields: what they may hold, and the address
  const sizes = Object.keys(Object.values(draws.seeds)[0].sizes).map(Number), seeds = Object.keys(draws.seeds);
  const last = sizes.findIndex((size, k) => size !== k + 1);
  const allowed = {
    n: [(value) => sizes.includes(value), `a whole number up to ${last}, or one of ${sizes.slice(last).join(", ")}`],
    rate: [(value) => value >= 1e-6 && value <= 10, "from 0.000001 to 10"],
    epochs: [(value) => Number.isInteger(value) && value >= 1 && value <= 1e6, "a whole number from 1 to 1,000,000"],
    seed: [(value) => seeds.includes(String(value)), `a whole number from 0 to ${seeds.length - 1}`],
    floor: [(value) => value >= 0 && value <= 1, "from 0 to 1"],
  };

  function settings() {
    const values = Object.fromEntries(new FormData(form));
    let fine = true;
    for (const [name, [fits, words]] of Object.entries(allowed)) {
      const text = values[name].trim(), value = text === "" ? NaN : Number(text), field = form.elements[name];
      const wrong = !fits(value);
      field.setAttribute("aria-invalid", wrong);
      document.getElementById(`kbe-${name}-error`).textContent = wrong ? `It is ${text || "empty"}: it must be ${words}.` : "";
      fine &&= !wrong;
      values[name] = value;
    }
    return fine ? values : null;
  }

  function fill(text) {
    for (const [name, value] of new URLSearchParams(text)) {
      const field = form.elements[name];
      if (field?.tagName === "INPUT" || [...(field?.options ?? [])].some((one) => one.value === value)) field.value = value;
    }
  }

  const lines = (now) => `from functools import partial
from kbe import losses, networks
from kbe.data import encoding
from kbe.training import ensemble

data = encoding.random_encoding(points=${now.n}, members=16, seed=${now.seed})
network = partial(networks.VarianceNetwork, mean="${now.mean}", deviation="${now.deviation}", sigma_floor=${now.floor})
run = ensemble.train(network, data, losses.${now.loss}, learning_rate=${now.rate}, epochs=${now.epochs}, reduction="${now.reduction}", seed=${now.seed})
`;

  // --- one training: its worker, and what it has told
  let worker = null, told = [], onset = [], points = "", state = "empty", epoch = 0, waiting = null;

  function say(text) { status.textContent = text; }

  function show(next) {
    state = next;
    const busy = state === "running";
    buttons.run.disabled = busy;
    buttons.pause.disabled = !busy;
    buttons.step.disabled = busy || state === "done";
    buttons.reset.disabled = state === "empty";
  }

  function reset(words = "Nothing runs.") {
    worker?.terminate();
    [worker, told, onset, epoch] = [null, [], [], 0];
    const now = settings();
    python.textContent = now ? lines(now) : "";
    if (now) history.replaceState(null, "", `#${new URLSearchParams(new FormData(form))}`);
    show("empty");
    say(now ? words : "Nothing runs: a field holds a value that is not allowed.");
    drawSoon();
  }

  // The first epochs one by one, then ever fewer, as evenly as whole epochs are on a logarithmic axis.
  const grid = (epochs, count = 160) =>
    [...new Set(Array.from({ length: count + 1 }, (_, k) => Math.round((epochs + 1) ** (k / count)) - 1))].slice(1);

  function start() {
    const now = settings();
    if (!now) {
      reset();
      form.querySelector("[aria-invalid=true]").focus();
      return false;
    }
    const draw = draws.seeds[now.seed], size = draw.sizes[now.n];
    points = size.points;
    const bytes = Uint8Array.from(atob(draw.weights), (letter) => letter.charCodeAt(0));
    const blob = new Blob([`(${trainer})()`], { type: "text/javascript" });
    worker = new Worker(URL.createObjectURL(blob));
    worker.onmessage = ({ data }) => heard[data.said](data);
    worker.onerror = (event) => { reset(`The training failed: ${event.message}`); };
    worker.postMessage({
      ask: "start", module, tasks: draws.tasks, layout: draws.layouts[size.layout], points, inputs: size.inputs,
      weights: new Float32Array(bytes.buffer), heads: [draws.heads[now.mean], draws.heads[now.deviation]],
      n: now.n, floor: now.floor, loss: draws.losses[now.loss], rate: now.rate, epochs: now.epochs, grid: grid(now.epochs),
      share: now.reduction === "mean" ? 1 / now.n : 1,
    });
    return true;
  }

  const heard = {
    record(data) { told.push(data); ({ epoch, onset } = data); drawSoon(); },
    progress(data) { ({ epoch } = data); drawSoon(); },
    paused() { show(epoch < settings().epochs ? "paused" : "done"); say(`Paused at epoch ${epoch}: ${summary()}`); },
    done() { show("done"); say(`Done, ${epoch} epochs: ${summary()}`); },
    state(data) { waiting?.(data); },
  };

  function summary() {
    const count = onset.filter((one) => one >= 0).length;
    return `${count} of 16 networks have become unstable${count ? `, the first at epoch ${Math.min(...onset.filter((one) => one >= 0))}` : ""}.`;
  }

  const actions = {
    run() {
      if (state === "done") reset();
      if (!worker && !start()) return;
      show("running");
      say("Training.");
      worker.postMessage({ ask: "run" });
    },
    pause() { worker.postMessage({ ask: "pause" }); },
    step() { if (worker || start()) worker.postMessage({ ask: "step" }); },
    reset() { reset(); },
  };
  for (const [name, act] of Object.entries(actions)) buttons[name].addEventListener("click", act);
  form.addEventListener("submit", (event) => { event.preventDefault(); if (state !== "running") actions.run(); });
  form.addEventListener("change", (event) => {
    if (event.target.name !== "network") reset("The settings have changed: Run starts anew.");
    else drawSoon();
  });
  for (const preset of form.querySelectorAll("[data-preset]"))
    preset.addEventListener("click", () => {
      HTMLFormElement.prototype.reset.call(form); // form.reset is the button of that name
      fill(preset.dataset.preset);
      reset(`${preset.textContent}: press Run.`);
    });
  // For who wants the numbers: a promise of weights and outputs, rows of sixteen, and onsets.
  root.state = () => new Promise((resolve) => { waiting = resolve; worker.postMessage({ ask: "state" }); });

  // --- plots
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--kbe-${name}`).trim();
  const chosen = () => Number(form.elements.network.value) - 1;
  const positive = (value) => (value > 0 && Number.isFinite(value) ? value : null);
  const measure = (name, network) => {
    const row = draws.measures.indexOf(name) * 16 + network;
    return told.filter((one) => one.epoch > 0).map((one) => one.measures[row]);
  };
  const finite = (values) => values.map((value) => (Number.isFinite(value) ? value : null));
  const epochsTold = () => told.filter((one) => one.epoch > 0).map((one) => one.epoch);
  const log = { distr: 3 };

  function atOnset(plot) {
    const when = onset[chosen()];
    if (!(when > 0)) return;
    const { ctx, bbox } = plot, x = plot.valToPos(when, "x", true);
    ctx.save();
    ctx.strokeStyle = colour("ink");
    ctx.setLineDash([3, 4]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.restore();
  }

  function trajectories(plot) {
    const { ctx, bbox } = plot, at = (x, y) => [plot.valToPos(x, "x", true), plot.valToPos(y, "y", true)];
    const { ticks, arrows } = draws.field, unit = bbox.width / 26;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.strokeStyle = colour("field");
    ctx.beginPath();
    ticks.forEach((sigma, row) => ticks.forEach((error, column) => {
      const [x, y] = at(error, sigma), [right, up] = arrows[row][column], [dx, dy] = [right * unit, -up * unit];
      ctx.moveTo(x - dx / 2, y - dy / 2);
      ctx.lineTo(x + dx / 2, y + dy / 2);
      for (const side of [1, -1]) {
        ctx.moveTo(x + dx / 2, y + dy / 2);
        ctx.lineTo(x + dx / 6 - side * dy * 0.25, y + dy / 6 + side * dx * 0.25);
      }
    }));
    ctx.stroke();
    const way = (network, row) => {
      const here = told.filter((one) => onset[network] < 0 || one.epoch < onset[network]);
      ctx.beginPath();
      here.forEach((one, k) => ctx[k ? "lineTo" : "moveTo"](...at(one.errors[row * 16 + network], one.sigma[row * 16 + network])));
      ctx.stroke();
    };
    const all = (network) => { for (let row = 0; row < points.length / 16; row++) if (points[row * 16 + network] !== "0") way(network, row); };
    ctx.lineWidth = devicePixelRatio;
    ctx.strokeStyle = colour("faint");
    if (points.length / 16 <= 80) for (let network = 0; network < 16; network++) if (network !== chosen()) all(network);
    ctx.lineWidth = 1.5 * devicePixelRatio;
    ctx.strokeStyle = colour("c1");
    if (told.length) all(chosen());
    ctx.restore();
  }

  const axis = (label) => ({
    label, stroke: colour("ink"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), width: 1 },
    font: "12px sans-serif", labelFont: "13px sans-serif", size: 56, labelSize: 22,
  });
  const series = (label, ink, width = 1.5, dash = []) => ({ label, stroke: colour(ink), width, dash, points: { show: false } });
  const overEpochs = (y, values) => [{ ...axis("epochs"), size: 40 }, { ...axis(y), ...(values && { values }) }];
  const figures = {
    variances: {
      options: () => ({
        scales: { x: { time: false, ...log }, y: { range: (_, low, high) => [0, Math.max(high ?? 0, 0.3) * 1.05] } },
        axes: overEpochs("variance"), hooks: { draw: [atOnset] },
        series: [{ label: "epoch" }, series("V", "c0"), series("V*", "c1", 1.5, [7, 4]), series("gap", "c2", 1.5, [2, 3])],
      }),
      data: () => ["squared_error", "predicted", "gap"].map((name) => finite(measure(name, chosen()))),
    },
    least: {
      options: () => ({
        scales: { x: { time: false, ...log }, y: { ...log, range: (_, low) => [Math.min(0.1, Math.max(low ?? 0.1, 1e-8)), 1] } },
        axes: overEpochs("least σ", (_, values) => values.map((value) => (value > 0 ? value.toExponential(0) : ""))), hooks: { draw: [atOnset] },
        legend: { show: false },
        series: [{ label: "epoch" }, ...Array.from({ length: 16 }, (_, k) => series(`network ${k + 1}`, k === chosen() ? "c1" : "faint", k === chosen() ? 2 : 1))],
      }),
      data: () => Array.from({ length: 16 }, (_, network) => measure("least_sigma", network).map(positive)),
    },
    trajectories: {
      options: () => ({
        scales: { x: { time: false, range: [0, 1.02] }, y: { range: [0, 1.02] } }, axes: [{ ...axis("|y − μ|"), size: 40 }, axis("σ")],
        hooks: { draw: [trajectories] }, legend: { show: false }, cursor: { show: false },
        series: [{}, { points: { show: false } }],
      }),
      data: () => null,
    },
  };

  const plots = {};
  let sized = "";
  function plotted() {
    const look = `${chosen()} ${root.clientWidth} ${document.documentElement.dataset.theme}`;
    for (const [name, { options, data }] of Object.entries(figures)) {
      const place = root.querySelector(`[data-plot=${name}]`), x = epochsTold();
      const values = data() ? [x.length ? x : [1, 10], ...data().map((one) => (x.length ? one : [null, null]))] : [[0, 1], [null, null]];
      if (look !== sized) {
        plots[name]?.destroy();
        const width = place.clientWidth, height = name === "trajectories" ? Math.min(width, 420) : 280;
        plots[name] = new uPlot({ width, height, cursor: { drag: { x: false, y: false } }, ...options() }, values, place);
      } else plots[name].setData(values);
      place.setAttribute("aria-label", words[name]());
    }
    sized = look;
  }

  const short = (value) => (Number.isFinite(value) ? Number(value.toPrecision(3)).toString() : "not finite");
  const latest = (name, network) => short(told.at(-1)?.measures[draws.measures.indexOf(name) * 16 + network] ?? NaN);
  const untrained = "Nothing has been trained yet.";
  const words = {
    variances: () => told.length ? `V and V* of network ${chosen() + 1} at epoch ${told.at(-1).epoch}: ${latest("squared_error", chosen())} and ${latest("predicted", chosen())}.` : untrained,
    least: () => told.length ? `The least sigma of network ${chosen() + 1} at epoch ${told.at(-1).epoch} is ${latest("least_sigma", chosen())}; the table below has all networks.` : untrained,
    trajectories: () => told.length ? `The trajectories of error and sigma of network ${chosen() + 1} up to epoch ${told.at(-1).epoch}, or its onset, on the gradient field of the loss.` : `The gradient field of the loss. ${untrained}`,
  };

  function listed() {
    const rows = told.length ? Array.from({ length: 16 }, (_, k) => [k + 1, onset[k] < 0 ? "none yet" : onset[k], ...["least_sigma", "squared_error", "predicted"].map((name) => latest(name, k))]) : [];
    root.querySelector(".kbe-table").hidden = !told.length;
    root.querySelector(".kbe-table tbody").replaceChildren(...rows.map((cells) => {
      const row = document.createElement("tr");
      row.append(...cells.map((text, k) => Object.assign(document.createElement(k ? "td" : "th"), { textContent: text, ...(!k && { scope: "row" }) })));
      return row;
    }));
  }

  let asked = false;
  function drawSoon() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      progress.value = `Epoch ${epoch}`;
      plotted();
      listed();
    });
  }

  fill(location.hash.slice(1));
  form.hidden = root.querySelector(".kbe-plots").hidden = false;
  addEventListener("hashchange", () => { fill(location.hash.slice(1)); reset(); });
  new ResizeObserver(drawSoon).observe(root);
  new MutationObserver(drawSoon).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
  reset("Press Run, or choose a preset.");
})();
