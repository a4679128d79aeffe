package main

import (
	"io"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/etrainer/backend/pkg/lifecycle"
)

// TestPortInUse ends with one sentence that names the variable and the mend,
// alone and as a parent.
//
//nolint:paralleltest // it sets the environment
func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := strconv.Itoa(taken.Addr().(*net.TCPAddr).Port)
	for _, variable := range []string{"PORT", "API_PRIVATE_PORT"} {
		for _, clustering := range []string{"false", "true"} {
			for name, value := range map[string]string{
				"PORT": freePort(t), "API_PRIVATE_PORT": "0", "MONGODB_URI": "mongodb://127.0.0.1:1/none", "NODE_ENV": "production",
				"JWT_SECRET_KEY": "q8Zt2vXw9Lr5Nb7Kd3Hf6Jm1Pc4Gs0YuTe", "ENABLE_CLUSTERING": clustering,
			} {
				t.Setenv(name, value)
			}
			t.Setenv(variable, port)
			var log buffer
			code := run(t.Context(), nil, io.Discard, &log)
			want := variable + ` is \"` + port + `\", where another process listens: end that process, or set ` + variable + ` to another port`
			if code != lifecycle.ExitFailed || strings.Count(log.String(), want) != 1 {
				t.Errorf("ENABLE_CLUSTERING=%s: exit code %d, want 1 and one line with %q\n%s", clustering, code, want, &log)
			}
		}
	}
}
