"use strict";

// The slider picks a row of the table below it; every number it shows is a cell of that row.
(() => {
  const section = document.getElementById("theta-section");
  const slider = document.getElementById("theta");
  const now = document.getElementById("theta-now");
  const moving = document.getElementById("moving");
  const rows = document.getElementById("theta-table").querySelectorAll("tbody tr");
  const outputs = section.querySelectorAll("output[data-column]");
  const chart = section.querySelector(".chart");
  const thetas = slider.dataset.thetas.split(" ").map(Number);

  function show() {
    const step = Number(slider.value);
    const cells = rows[step].cells;
    now.textContent = cells[0].textContent;
    slider.setAttribute("aria-valuetext", "θ = " + cells[0].textContent);
    for (const output of outputs) {
      output.textContent = cells[Number(output.dataset.column)].textContent;
    }
    const shift = thetas[step] * Number(moving.dataset.unit);
    moving.setAttribute("transform", `translate(${shift} 0)`);
    const first = Number(chart.dataset.first);
    const last = Number(chart.dataset.last);
    const x = first + ((last - first) * step) / Math.max(1, thetas.length - 1);
    chart.querySelector(".mark").setAttribute("transform", `translate(${x} 0)`);
  }

  section.classList.add("live");
  section.querySelector(".control").hidden = false;
  section.querySelector("details.static").open = false;
  slider.addEventListener("input", show);
  show();
})();
