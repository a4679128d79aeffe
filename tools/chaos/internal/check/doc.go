// Package check reads the history of a seed and the database at its end, and
// tells which promises of the queue were broken. One file holds the rules of
// one promise.
//
// All rules are one-sided: what they report is proven by the order of the
// lines. A process that was killed between a deed and its line hides the deed;
// it makes no false report.
package check
