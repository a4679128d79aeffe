// Package plan draws the faults of a seed. The same seed always gives the same
// faults at the same times; what they meet there is up to the machine.
package plan
