package mongoqueue

// Differs is differs, for the wire test.
var Differs = differs

// StillFinished is stillFinished, for the test of what changes in between.
var StillFinished = stillFinished
