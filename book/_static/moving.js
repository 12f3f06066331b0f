// Figures that a slider moves. The page holds the numbers of all frames; this draws the one that is chosen, with uPlot's
// axes. Nothing moves by itself. Where this cannot run, some frames stand in a row.
(() => {
  const folder = document.currentScript.src.replace(/[^/]*$/, "");
  const CORNERS = { s: [-1, -1, 1, -1, 1, 1, -1, 1], "^": [-1.2, 1, 0, -1.2, 1.2, 1], D: [0, -1.3, 1.3, 0, 0, 1.3, -1.3, 0], v: [-1.2, -1, 0, 1.2, 1.2, -1] };

  function marker(ctx, kind, x, y, size) {
    ctx.beginPath();
    if (kind === "o") ctx.arc(x, y, size, 0, 2 * Math.PI);
    else for (let k = 0; k < CORNERS[kind].length; k += 2) ctx.lineTo(x + size * CORNERS[kind][k], y + size * CORNERS[kind][k + 1]);
    ctx.fill();
  }

  // A curve through points in pixels; null interrupts it.
  function trace(ctx, curve, points, colour) {
    const unit = devicePixelRatio;
    ctx.strokeStyle = ctx.fillStyle = colour;
    if (curve.marker) {
      for (const point of points) if (point) marker(ctx, curve.marker, ...point, 4 * unit);
      return;
    }
    ctx.lineWidth = (curve.look === null ? 1 : 2) * unit;
    ctx.setLineDash(curve.dash.map((length) => length * unit));
    ctx.beginPath();
    points.forEach((point, k) => point && ctx[k && points[k - 1] ? "lineTo" : "moveTo"](...point));
    ctx.stroke();
    ctx.setLineDash([]);
  }

  function start(root) {
    const { values, said, panels } = JSON.parse(root.querySelector("script").textContent);
    const [slider, output, status] = ["input", "output", "[role=status]"].map((one) => root.querySelector(one));
    const ink = (name) => getComputedStyle(root).getPropertyValue(`--kbe-${name}`).trim();
    const of = (curve) => (curve.look === null ? ink("faint") : ink(`c${curve.look % 6}`));
    const now = (numbers) => (Array.isArray(numbers[0]) ? numbers[slider.valueAsNumber] : numbers);
    const places = panels.map((panel) => {
      const box = root.querySelector(".kbe-panels").appendChild(document.createElement("div"));
      box.append(Object.assign(document.createElement("div"), { className: "kbe-title", textContent: panel.title }));
      const place = box.appendChild(document.createElement("div"));
      place.setAttribute("role", "img");
      const legend = box.appendChild(Object.assign(document.createElement("div"), { className: "kbe-legend" }));
      for (const curve of panel.curves.filter((one) => one.label)) {
        const swatch = Object.assign(document.createElement("canvas"), { curve });
        swatch.setAttribute("aria-hidden", "true");
        legend.appendChild(document.createElement("span")).append(swatch, curve.label);
      }
      return place;
    });
    let plots = [], sized = "";

    function curves(plot, panel) {
      const { ctx, bbox } = plot, inside = ([low, high], value, logarithmic) => value !== null && (!logarithmic || value > 0);
      ctx.save();
      ctx.beginPath();
      ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
      ctx.clip();
      for (const curve of panel.curves) {
        const [x, y] = [now(curve.x), now(curve.y)];
        const drawn = (value, axis) => value !== null && !(panel.logarithmic[axis] && value <= 0);
        trace(ctx, curve, x.map((one, k) => drawn(one, 0) && drawn(y[k], 1) && [plot.valToPos(one, "x", true), plot.valToPos(y[k], "y", true)]), of(curve));
      }
      ctx.restore();
    }

    function build() {
      plots.forEach((plot) => plot.destroy());
      plots = panels.map((panel, k) => {
        const axis = (label, size) => ({
          label, size, labelSize: 20, stroke: ink("ink"), grid: { stroke: ink("grid"), width: 1 }, ticks: { stroke: ink("grid"), width: 1 },
          font: "12px sans-serif", labelFont: "13px sans-serif",
        });
        const scale = (n) => ({ time: false, range: () => panel.ends[n], distr: panel.logarithmic[n] ? 3 : 1 });
        return new uPlot({
          width: places[k].clientWidth, height: 260, legend: { show: false }, cursor: { show: false },
          scales: { x: scale(0), y: scale(1) }, axes: [axis(panel.labels[0], 40), axis(panel.labels[1], 52)],
          series: [{}, { points: { show: false } }], hooks: { draw: [(plot) => curves(plot, panel)] },
        }, [panel.ends[0], [null, null]], places[k]);
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
