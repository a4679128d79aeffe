// Package report collects what was measured and prints it: one plain table
// for people, and JSON for programs. Every number carries the environment and
// the settings that it was measured with.
package report
