// Package engine is the database under test: it opens databases that are
// empty and belong to one measurement, and knows what to print about the
// engine beside every number.
package engine
