package interop_test

import (
	"os"
	"testing"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

func TestMain(m *testing.M) {
	if settings := os.Getenv(childVariable); settings != "" {
		os.Exit(runChild(settings))
	}
	mongotest.Main(m)
}

// eachVersion runs a test with each Agenda that the collection may be shared
// with.
func eachVersion(t *testing.T, test func(t *testing.T, v version)) {
	t.Helper()
	for _, v := range []version{agenda5, agenda6} {
		t.Run("Agenda "+string(v), func(t *testing.T) {
			t.Parallel()
			test(t, v)
		})
	}
}
