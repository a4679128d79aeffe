package check

import (
	"strings"
	"time"

	"github.com/etrainer/backend/tools/chaos/internal/history"
)

// Rescues returns how long each job waited from the death of its worker until
// another began it.
func Rescues(story Story) []time.Duration {
	k := learn(story)
	killed := map[string]bool{}
	for _, line := range story.Lines {
		if line.Event == history.Exit && strings.HasSuffix(line.Note, "killed") {
			killed[line.Process] = true
		}
	}
	var waits []time.Duration
	for _, runs := range k.byJob {
		for i, r := range runs[:len(runs)-1] {
			if next := runs[i+1]; r.end == 0 && r.gone != 0 && killed[r.Process] && next.At > r.gone && k.newer(r.Process) && k.newer(next.Process) {
				waits = append(waits, time.Duration(next.At-r.gone))
			}
		}
	}
	return waits
}
