"use strict";

// The page says `reset` with settings, or `advance` by some iterations; each is answered by a frame,
// and while a critic trains alone by how far it is.
let trainer = null;

self.onmessage = ({ data: { reset, advance = 0 } }) => {
  if (reset) {
    trainer = new Trainer(reset);
    trainer.warmUp((alone) => self.postMessage({ alone }));
  }
  for (let i = 0; i < advance; i += 1) trainer.iterate();
  self.postMessage({ frame: trainer.frame() });
};
