package edge_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/etrainer/backend/pkg/edgetest"
)

// TestPlainHostRefuses: what cannot work ends the commands of a plain host with
// exit code 2 and one sentence that names the variable or file, and the mend.
func TestPlainHostRefuses(t *testing.T) {
	t.Parallel()
	edgetest.NeedsNginx(t)
	dir := t.TempDir()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	expired, empty := filepath.Join(dir, "expired"), filepath.Join(dir, "empty")
	for _, folder := range []string{expired, empty} {
		if err := os.Mkdir(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	chain, key, _ := edgetest.SelfMade(t, dir, time.Now().Add(-time.Hour))
	for from, to := range map[string]string{chain: "fullchain.pem", key: "privkey.pem"} {
		if err := os.Rename(from, filepath.Join(expired, to)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(empty, ".env.production"), []byte("JWT_SECRET_KEY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		script, argument string
		env              []string
		want             string
	}{
		"no settings": {
			"both", "production",
			[]string{"CONFIG_FILE=" + dir + "/none"},
			dir + `/none cannot be read: run "make env", which makes it, or name another file in CONFIG_FILE`,
		},
		"an empty secret": {"env", empty, nil, "JWT_SECRET_KEY in .env.production is empty: fill it in, or remove the line"},
		"a port in use": {
			"nginx", filepath.Join(dir, "a"),
			[]string{"NGINX_HTTPS_PORT=" + port},
			"NGINX_HTTPS_PORT is " + port + ", where another process listens: end that process, or set NGINX_HTTPS_PORT to another port",
		},
		"an expired certificate": {"nginx", filepath.Join(dir, "b"), []string{"TLS=" + expired}, "fullchain.pem expired on "},
		"a variable": {
			"nginx", filepath.Join(dir, "c"),
			[]string{"NGINX_UPLOAD_LIMIT=much"},
			`NGINX_UPLOAD_LIMIT "much" cannot be used; write a size, such as 105m`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(edgetest.Root+"/tools/run/"+test.script, test.argument)
			cmd.Env = append(environment(), append([]string{
				"TLS=" + empty, "NGINX_HTTP_PORT=" + edgetest.FreePort(t), "NGINX_HTTPS_PORT=" + edgetest.FreePort(t),
			}, test.env...)...)
			out, _ := cmd.CombinedOutput() // the exit code says it
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if cmd.ProcessState.ExitCode() != 2 || !strings.Contains(lines[len(lines)-1], test.want) {
				t.Errorf("exit code %d with\n%s\nwant 2 and a last line with %q", cmd.ProcessState.ExitCode(), out, test.want)
			}
		})
	}
}
