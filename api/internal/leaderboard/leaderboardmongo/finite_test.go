package leaderboardmongo

import (
	"math"
	"testing"
)

// The embedded engine refuses NaN, so this is not seen through a database.
func TestFinite(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]float64{1.5: 1.5, -2: -2, math.Inf(1): 0, math.Inf(-1): 0} {
		if got := finite(value); got != want {
			t.Errorf("finite(%v) = %v, want %v", value, got, want)
		}
	}
	if got := finite(math.NaN()); got != 0 {
		t.Errorf("finite(NaN) = %v, want 0", got)
	}
}
