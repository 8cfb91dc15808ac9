"use strict";
// Two requests a search: the ranking as retrieved, and the same after the reranker, side by side.

const at = (id) => document.getElementById(id);

function said(text, wrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

async function asked(body) {
  const answer = await fetch("search", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  const found = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(found.error.message), { status: answer.status });
  return found;
}

function item(result, before) {
  const line = document.createElement("li");
  const about = document.createElement("div");
  about.className = "about";
  const score = result.rerank_score ?? result.retrieval_score;
  const moved = before === undefined ? "" : before === result.rank ? " · as before" : ` · was ${before}`;
  about.textContent = `${result.doc_id} · ${score.toFixed(4)}${moved}`;
  const text = document.createElement("p");
  text.textContent = result.title ? `${result.title}: ${result.text}` : result.text;
  line.append(about, text);
  return line;
}

function time(found) {
  return Object.entries(found.timings).map(([phase, ms]) => `${phase.replace("_ms", "")} ${ms.toFixed(1)} ms`).join(", ");
}

at("ask").addEventListener("submit", async (event) => {
  event.preventDefault();
  const count = Number(at("count").value) || 10;
  const body = { query: at("query").value, mode: at("mode").value, top_k: count };
  at("rankings").setAttribute("aria-busy", "true");
  said("Searching…");
  try {
    const plain = await asked(body);
    const before = new Map(plain.results.map((one) => [one.doc_id, one.rank]));
    at("retrieved").replaceChildren(...plain.results.map((one) => item(one)));
    at("rankings").hidden = false;
    said(`${plain.results.length} documents of state ${plain.versions.state}; ${time(plain)}`);
    try {
      const second = await asked({ ...body, rerank: true, rerank_top_n: count });
      at("second").hidden = false;
      at("reranked").replaceChildren(...second.results.map((one) => item(one, before.get(one.doc_id))));
      said(`${plain.results.length} documents of state ${second.versions.state}; ${time(second)}`);
    } catch (problem) {
      if (problem.status !== 404) throw problem;
      at("second").hidden = true; // this service has no reranker
    }
  } catch (problem) {
    said(problem.message, true);
  } finally {
    at("rankings").removeAttribute("aria-busy");
  }
});
