package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/mongodb/mongotest"
)

// TestOldNames starts with the names of the Node backend: they work, and the log
// says what to rename. Ours counts where both are set.
//
//nolint:paralleltest // it sets the environment
func TestOldNames(t *testing.T) {
	db := mongotest.Database(t)
	mongotest.Migrate(t, db)
	const secret = "Zp4Wc8Ns1Qe6Tb3Yh9Mk5Vd2Lr7Xj0Gf"
	for name, test := range map[string]struct{ own, warning string }{
		"the old name": {"", "JWT_SECRET is the old name of JWT_SECRET_KEY: it works, but rename it"},
		"both names":   {secret, "JWT_SECRET_KEY is set beside JWT_SECRET, which is its old name: JWT_SECRET_KEY counts; remove JWT_SECRET"},
	} {
		t.Run(name, func(t *testing.T) {
			p := startWith(t, mongotest.URI(t)+db.Name(), map[string]string{
				"JWT_SECRET_KEY": test.own, "JWT_SECRET": "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "LB_TIMEOUT_MS": "30000",
			})
			p.until(t, "/readyz", http.StatusOK)
			p.stop()
			<-p.code
			for _, want := range []string{test.warning, "LB_TIMEOUT_MS of the Node backend have no effect here: remove them"} {
				if strings.Count(p.log.String(), want) != 1 {
					t.Errorf("the log has not one line with %q\n%s", want, p.log)
				}
			}
		})
	}
}
