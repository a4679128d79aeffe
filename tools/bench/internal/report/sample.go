package report

import (
	"fmt"
	"math"
	"slices"
)

// Sample is a set of measurements of one thing.
type Sample []float64

// Percentile returns the smallest measurement that at least p of 100 are not
// above (the nearest rank). An empty sample gives NaN.
func (s Sample) Percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	rank := int(math.Ceil(p / 100 * float64(len(sorted))))
	return sorted[min(max(rank, 1), len(sorted))-1]
}

// Median is the 50th percentile.
func (s Sample) Median() float64 { return s.Percentile(50) }

// Spread tells the lowest and the highest measurement and how many there are.
func (s Sample) Spread() string {
	if len(s) < 2 {
		return ""
	}
	return fmt.Sprintf("%s to %s in %d runs", number(slices.Min(s)), number(slices.Max(s)), len(s))
}
