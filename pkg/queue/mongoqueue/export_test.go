package mongoqueue

// Differs is differs, for the wire test.
var Differs = differs
