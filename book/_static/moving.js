// Figures that a slider moves. The page holds the numbers of all frames; this draws the one that is chosen, with uPlot's
// axes. Nothing moves by itself. Where this cannot run, some frames stand in a row.
(() => {
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const CORNERS = { s: [-1, -1, 1, -1, 1, 1, -1, 1], "^": [-1.2, 1, 0, -1.2, 1.2, 1], D: [0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0], v: [-1.2, -1, 0, 1.2, 1.2, -1] };

  function marker(ctx, kind, x, y, size, paper) {
    ctx.beginPath();
    if (kind === "o") ctx.arc(x, y, size, 0, 2 * Math.PI);
    else for (let k = 0; k < CORNERS[kind].length; k += 2) ctx.lineTo(x + size * CORNERS[kind][k], y + size * CORNERS[kind][k + 1]);
    ctx.closePath();
    ctx.strokeStyle = paper;
    ctx.lineWidth = size / 3;
    ctx.stroke();
    ctx.fill();
  }

  // A curve through points in pixels; null interrupts it.
  function trace(ctx, curve, points, { colour, paper }, line) {
    const unit = devicePixelRatio;
    ctx.fillStyle = colour;
    if (curve.marker && !line) {
      for (const point of points) if (point) marker(ctx, curve.marker, ...point, 4 * unit, paper);
      return;
    }
    const width = (curve.look === null ? 1 : curve.trail ? 1.5 : 2) * unit;
    ctx.beginPath();
    points.forEach((point, k) => point && ctx[k && points[k - 1] ? "lineTo" : "moveTo"](...point));
    if (curve.look !== null) {  // stands out from what lies behind
      Object.assign(ctx, { strokeStyle: paper, lineWidth: width + 2 * unit });
      ctx.stroke();
    }
    Object.assign(ctx, { strokeStyle: colour, lineWidth: width });
    ctx.setLineDash(curve.dash.map((length) => length * unit));
    ctx.stroke();
    ctx.setLineDash([]);
  }

  function start(root) {
    const { values, said, panels } = JSON.parse(root.querySelector("script").textContent);
    const [slider, output, status] = ["input", "output", "[role=status]"].map((one) => root.querySelector(one));
    const ink = (name) => getComputedStyle(root).getPropertyValue(`--kbe-${name}`).trim();
    const of = (curve) => ({ colour: ink(curve.look === null ? "faint" : `c${curve.look % 6}`), paper: ink("paper") });
    const now = (numbers) => (Array.isArray(numbers[0]) ? numbers[slider.valueAsNumber] : numbers);
    const places = panels.map((panel, k) => {
      const box = root.querySelector(".kbe-panels").appendChild(document.createElement("div"));
      box.append(Object.assign(document.createElement("div"), { className: "kbe-title", textContent: panel.title }));
      const place = box.appendChild(document.createElement("div"));
      place.setAttribute("role", "img");
      const legend = box.appendChild(Object.assign(document.createElement("div"), { className: "kbe-legend" }));
      const named = panel.curves.filter((one, n, all) => one.label && all.findIndex((other) => other.label === one.label) === n);
      if (panel.cells) {
        panel.picture = Object.assign(new Image(), { src: panel.cells.picture, onload: () => plots[k]?.redraw(false, false) });
        const bar = Object.assign(new Image(), { src: panel.cells.bar, alt: "" });
        legend.appendChild(document.createElement("span")).append(bar, panel.cells.label);
      }
      for (const curve of named) {
        const swatch = Object.assign(document.createElement("canvas"), { curve });
        swatch.setAttribute("aria-hidden", "true");
        legend.appendChild(document.createElement("span")).append(swatch, curve.label);
      }
      return place;
    });
    let plots = [], sized = "";

    // The frame that belongs to the place of the pointer.
    function follow(plot, panel, event) {
      const apart = panel.follows.map((place) => Math.abs(plot.valToPos(place, "x") - event.offsetX));
      const frame = apart.indexOf(Math.min(...apart));
      if (frame === slider.valueAsNumber) return;
      slider.value = frame;
      show();
    }

    function curves(plot, panel) {
      const { ctx, bbox } = plot;
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      ctx.imageSmoothingEnabled = false;
      if (panel.picture?.complete) ctx.drawImage(panel.picture, bbox.left, bbox.top, bbox.width, bbox.height);
      for (const curve of panel.curves) {
        const drawn = (value, axis) => value !== null && !(panel.logarithmic[axis] && value <= 0);
        const points = (x, y) => x.map((one, k) => drawn(one, 0) && drawn(y[k], 1) && [plot.valToPos(one, "x", true), plot.valToPos(y[k], "y", true)]);
        const way = (numbers, k) => numbers.slice(0, slider.valueAsNumber + 1).map((row) => row[k]);
        if (curve.trail) now(curve.x).forEach((_, k) => trace(ctx, curve, points(way(curve.x, k), way(curve.y, k)), of(curve), true));
        trace(ctx, curve, points(now(curve.x), now(curve.y)), of(curve));
      }
      ctx.restore();
    }

    function build() {
      plots.forEach((plot) => plot.destroy());
      plots = panels.map((panel, k) => {
        const powers = (_, splits) => splits.map((value) => (Number.isInteger(Math.log10(value)) ? value : null));
        const axis = (n, size) => {
          const lines = { stroke: ink("grid"), width: 1, ...(panel.logarithmic[n] && { filter: powers }) };
          return { label: panel.labels[n], size, labelSize: 20, stroke: ink("ink"), grid: lines, ticks: lines, font: "12px sans-serif", labelFont: "13px sans-serif" };
        };
        const scale = (n) => ({ time: false, range: () => panel.ends[n], distr: panel.logarithmic[n] ? 3 : 1 });
        const plot = new uPlot({
          width: places[k].clientWidth, height: 260, legend: { show: false }, cursor: { show: false },
          scales: { x: scale(0), y: scale(1) }, axes: [axis(0, 40), axis(1, 52)],
          series: [{}, { points: { show: false } }], hooks: { draw: [(plot) => curves(plot, panel)] },
        }, [panel.ends[0], [null, null]], places[k]);
        if (panel.follows) plot.over.addEventListener("pointermove", (event) => follow(plot, panel, event));
        return plot;
      });
      for (const swatch of root.querySelectorAll("canvas[aria-hidden]")) {
        const [width, height] = [36, 14].map((length) => length * devicePixelRatio);
        Object.assign(swatch, { width, height });
        trace(swatch.getContext("2d"), swatch.curve, swatch.curve.marker ? [[width / 2, height / 2]] : [[0, height / 2], [width, height / 2]], of(swatch.curve));
      }
    }

    function show() {
      const look = `${root.clientWidth} ${devicePixelRatio} ${document.documentElement.dataset.theme}`, frame = slider.valueAsNumber;
      if (look !== sized) build();
      else plots.forEach((plot) => plot.redraw(false, false));
      sized = look;
      output.value = values[frame];
      slider.setAttribute("aria-valuetext", values[frame]);
      if (status.textContent !== said[frame]) status.textContent = said[frame];
      places.forEach((place, k) => place.setAttribute("aria-label", `${panels[k].title}: ${said[frame]}`));
    }

    root.querySelector(".kbe-live").hidden = false;
    root.classList.add("kbe-moves");
    slider.addEventListener("input", show);
    new ResizeObserver(show).observe(root);
    new MutationObserver(show).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    const figures = document.querySelectorAll(".kbe-moving");
    if (!figures.length) return;
    document.head.append(
      Object.assign(document.createElement("link"), { rel: "stylesheet", href: `${folder}uPlot.min.css` }),
      Object.assign(document.createElement("script"), { src: `${folder}uPlot.iife.min.js`, onload: () => figures.forEach(start) }),
    );
  });
})();
