"use strict";

// The page says `reset` with settings, or `advance` by some iterations; each is answered by a frame.
let trainer = null;

self.onmessage = ({ data: { reset, advance = 0 } }) => {
  if (reset) {
    trainer = new Trainer(reset);
    trainer.warmUp();
  }
  const start = performance.now();
  for (let i = 0; i < advance; i += 1) trainer.iterate();
  const milliseconds = (performance.now() - start) / Math.max(1, advance);
  self.postMessage({ ...trainer.frame(), milliseconds });
};
