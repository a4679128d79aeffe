package compose_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// needs skips a test where a program is not installed.
func needs(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skip(program + " is not installed")
	}
}

// run runs a program with an environment of its own, and returns what it says and
// its exit code.
func run(t *testing.T, env []string, name string, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestEnv: the file is ours alone, its secrets are long and differ, and a second
// run changes nothing but what is missing.
func TestEnv(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, ".env")
	said, err := makeEnv(dir)
	if err != nil {
		t.Fatal(err, said)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v, %v", info, err)
	}
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name, value := range values(string(first)) {
		if !isSecret(name) {
			continue
		}
		if !regexp.MustCompile(`^[0-9a-f]{24,}$`).MatchString(value) || seen[value] {
			t.Errorf("%s has %d signs, seen before %v", name, len(value), seen[value])
		}
		if seen[value] = true; strings.Contains(said, value) {
			t.Errorf("%s was printed", name)
		}
	}
	if again, err := makeEnv(dir); err != nil || !strings.Contains(again, "nothing is missing") {
		t.Errorf("%s, %v", again, err)
	}
	if second, err := os.ReadFile(path); err != nil || !bytes.Equal(first, second) {
		t.Errorf("a second run changed the file: %v", err)
	}

	// A line that was removed comes back with another value; a value that somebody
	// wrote stays, also without an end of line.
	removed := regexp.MustCompile(`(?m)^REDIS_PASSWORD=.*\n`).ReplaceAll(first, nil)
	removed = append(removed, "export VIEW=1\nLOG_LEVEL=debug"...)
	if err := os.WriteFile(path, removed, 0o644); err != nil {
		t.Fatal(err)
	}
	if said, err := makeEnv(dir); err != nil || said != ".env: added REDIS_PASSWORD\n.env.production: nothing is missing\n" {
		t.Errorf("%q, %v", said, err)
	}
	third, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after := values(string(first)), values(string(third))
	if after["REDIS_PASSWORD"] == before["REDIS_PASSWORD"] || after["LOG_LEVEL"] != "debug" {
		t.Error("the password is the old one, or a line was lost")
	}
	delete(before, "REDIS_PASSWORD")
	for name, value := range before {
		if after[name] != value {
			t.Errorf("%s changed", name)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}

	// An empty secret is not filled in behind anybody's back.
	if err := os.WriteFile(path, []byte("MONGO_KEY=\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, err := makeEnv(dir); err == nil || !strings.Contains(said, "MONGO_KEY in .env is empty: fill it in, or remove the line") {
		t.Errorf("%q, %v", said, err)
	}
}

// TestReplicaSet runs the script that makes the replica set, with servers that
// exist only in the test.
func TestReplicaSet(t *testing.T) {
	t.Parallel()
	needs(t, "node")
	if out, code := run(t, nil, "node", "--check", root+"/deploy/mongodb/replicaset.js"); code != 0 {
		t.Fatal(out)
	}
	out, code := run(t, nil, "node", "--test", "--test-reporter=tap", "testdata/replicaset_test.mjs")
	if passed := strings.Count(out, "\nok "); code != 0 || passed < 10 {
		t.Errorf("%d passed, code %d\n%s", passed, code, out)
	}
}

// TestMember: the key is in a file that nobody else can read, not in the
// environment or the command line.
func TestMember(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stub := "#!/bin/sh\nenv >" + dir + "/env\nprintf '%s\\n' \"$@\" >" + dir + "/args\n"
	if err := os.WriteFile(filepath.Join(dir, "docker-entrypoint.sh"), []byte(stub), 0o700); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	path := "PATH=" + dir + ":" + os.Getenv("PATH")
	for range 2 { // a restart finds the file
		if out, code := run(t, []string{path, "MONGO_KEY=0123abcd", "MONGO_KEY_FILE=" + key}, "bash", root+"/deploy/mongodb/member"); code != 0 {
			t.Fatal(out)
		}
	}
	info, err := os.Stat(key)
	if err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("%v, %v", info, err)
	}
	if text, err := os.ReadFile(key); err != nil || string(text) != "0123abcd\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, file := range []string{"env", "args"} {
		if text, err := os.ReadFile(filepath.Join(dir, file)); err != nil || strings.Contains(string(text), "0123abcd") {
			t.Errorf("%s: %s, %v", file, text, err)
		}
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil || !strings.HasPrefix(string(args), "mongod\n--replSet\nrs0\n--keyFile\n"+key+"\n--bind_ip_all\n") {
		t.Errorf("%s, %v", args, err)
	}
	if out, code := run(t, nil, "bash", root+"/deploy/mongodb/member"); code != 2 || !strings.Contains(out, `MONGO_KEY is not set: run "make env"`) {
		t.Errorf("%d: %s", code, out)
	}
}

// TestRedis starts a real one: it wants the password, which no command line shows,
// and keeps what it holds.
func TestRedis(t *testing.T) {
	t.Parallel()
	needs(t, "redis-server")
	dir, port := t.TempDir(), freePort(t)
	client := func(password, command string, args ...string) string {
		out, _ := run(t, []string{"REDISCLI_AUTH=" + password}, "redis-cli", append([]string{"-p", port, command}, args...)...)
		return strings.TrimSpace(out)
	}
	start := func() func() {
		cmd := exec.CommandContext(context.Background(), "sh", root+"/deploy/redis/start")
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "REDIS_PASSWORD=hunter2", "REDIS_PORT=" + port, "REDIS_DIR=" + dir}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		until(t, "Redis answers", func() bool { return client("hunter2", "PING") == "PONG" })
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid)); err != nil || bytes.Contains(line, []byte("hunter2")) {
			t.Errorf("the command line is %q, %v", line, err)
		}
		return func() {
			client("hunter2", "SHUTDOWN")
			_ = cmd.Wait()
		}
	}
	stop := start()
	if said := client("", "PING"); !strings.Contains(said, "NOAUTH") {
		t.Errorf("without a password: %q", said)
	}
	client("hunter2", "SET", "a", "1")
	stop()
	stop = start()
	defer stop()
	if said := client("hunter2", "GET", "a"); said != "1" {
		t.Errorf("after a restart: %q", said)
	}
	for name, want := range map[string]string{"appendonly": "yes", "maxmemory": "268435456", "maxmemory-policy": "allkeys-lru"} {
		if said := client("hunter2", "CONFIG", "GET", name); said != name+"\n"+want {
			t.Errorf("%q, want %s", said, want)
		}
	}
	if out, code := run(t, nil, "sh", root+"/deploy/redis/start"); code != 2 || !strings.Contains(out, `REDIS_PASSWORD is not set: run "make env"`) {
		t.Errorf("%d: %s", code, out)
	}
}

// TestMake: what make does with Docker, by a Docker that notes what it is asked.
func TestMake(t *testing.T) {
	t.Parallel()
	const docker = `#!/bin/bash
echo "$*" >>"$LOG"
case "$*" in
"compose version") [ -z "${NO_PLUGIN:-}" ] ;;
"info") [ -z "${NO_ENGINE:-}" ] ;;
"compose config --quiet") [ -z "${BAD_FILE:-}" ] ;;
"compose up --detach --build"*) [ -z "${BAD_START:-}" ] ;;
"compose logs "*) echo "the last words of ${!#}" ;;
"compose ps -q nginx") if grep -q "compose up" "$LOG"; then echo edge; fi ;;
"compose ps -q --status running "*)
	service=${!#}
	if grep -q -e "--scale $service=" "$LOG"; then printf '%s\n' "new-$service-1" "new-$service-2"; fi
	printf '%s\n' "old-$service-1" "old-$service-2"
	;;
"inspect "*) echo "${HEALTH:-healthy}" ;;
esac
`
	type maker struct {
		dir string
		log func() string
		run func(env []string, args ...string) (string, int)
	}
	prepare := func(t *testing.T) maker {
		t.Helper()
		dir := t.TempDir()
		if _, err := makeEnv(dir); err != nil {
			t.Fatal(err)
		}
		script, err := os.ReadFile(root + "/tools/run/compose")
		if err != nil {
			t.Fatal(err)
		}
		for path, text := range map[string]string{"tools/run/compose": string(script), "bin/docker": docker} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, path)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		log := filepath.Join(dir, "log")
		return maker{
			dir: dir,
			log: func() string {
				text, _ := os.ReadFile(log)
				return string(text)
			},
			run: func(env []string, args ...string) (string, int) {
				return run(t, append([]string{"PATH=" + dir + "/bin:" + os.Getenv("PATH"), "LOG=" + log}, env...), "bash", append([]string{dir + "/tools/run/compose"}, args...)...)
			},
		}
	}
	free := slices.Clip([]string{"HTTP_PORT=" + freePort(t), "HTTPS_PORT=" + freePort(t)})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	_, port, err := net.SplitHostPort(taken.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	for _, test := range []struct {
		name string
		env  []string
		args []string
		want string // what it says before it ends with code 2; "" = it works
		asks string // the last thing that it asks Docker for
	}{
		{"up", free, []string{"up"}, "", "compose up --detach --build --remove-orphans\ncompose ps -q nginx\ninspect --format {{.State.Health.Status}} edge\ncompose ps\n"},
		{"scale", nil, []string{"scale", "5", "4"}, "", "compose up --detach --no-deps --no-recreate --scale api=5 --scale worker=4 api worker\n"},
		{"scale one", nil, []string{"scale", "", "4"}, "", "compose up --detach --no-deps --no-recreate --scale worker=4 worker\n"},
		{"logs", nil, []string{"logs", "api"}, "", "compose logs --follow --tail 100 api\n"},
		{"down", nil, []string{"down"}, "", "compose --profile * down --remove-orphans\n"},
		{"no plugin", []string{"NO_PLUGIN=1"}, []string{"up"}, "Docker has no compose plugin: install", "compose version\n"},
		{"no engine", []string{"NO_ENGINE=1"}, []string{"up"}, "Docker does not answer: start it", "info\n"},
		{"no number", nil, []string{"scale", "x", ""}, `"x" is no number of replicas: write make scale API=5 WORKER=4`, ""},
		{"no numbers", nil, []string{"scale", "", ""}, "it is not said how many", ""},
		{"port in use", []string{"HTTP_PORT=" + free[0][10:], "HTTPS_PORT=" + port}, []string{"up"}, "HTTPS_PORT " + port + " is in use on this machine: stop what listens there, or set HTTPS_PORT in .env", "compose ps -q nginx\n"},
		{"bad port", []string{"HTTPS_PORT=https"}, []string{"up"}, `HTTPS_PORT "https" in .env cannot be used: write a port, such as 8443`, "info\n"},
		{"bad number", []string{"API_REPLICAS=0"}, []string{"up"}, `API_REPLICAS "0" in .env cannot be used: write a number from 1 to 99`, "info\n"},
		{"bad file", []string{"BAD_FILE=1"}, []string{"roll"}, "compose.yaml cannot be used: the reason is above", "compose config --quiet\n"},
		{"bad start", append(free, "BAD_START=1"), []string{"up"}, "the last words of migrate\nnot everything runs: the reason is above", ""},
		{"bad edge", append(free, "HEALTH=unhealthy"), []string{"up"}, "the last words of nginx\nthe edge does not become healthy", ""},
		{"unknown", nil, []string{"start"}, "usage: ", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := prepare(t)
			said, code := m.run(test.env, test.args...)
			if want := map[bool]int{true: 0, false: 2}[test.want == ""]; code != want || !strings.Contains(said, test.want) {
				t.Errorf("code %d: %s", code, said)
			}
			if !strings.HasSuffix(m.log(), test.asks) {
				t.Errorf("asked Docker\n%s\nwant at the end %s", m.log(), test.asks)
			}
		})
	}
	t.Run("the version is noted", func(t *testing.T) {
		m := prepare(t)
		for _, args := range [][]string{{"up"}, {"roll"}} {
			version := "v1.2-" + args[0]
			if said, code := m.run(append(free, "VERSION="+version), args...); code != 0 {
				t.Fatalf("code %d: %s", code, said)
			}
			text, err := os.ReadFile(filepath.Join(m.dir, ".env"))
			if err != nil || values(string(text))["VERSION"] != version || strings.Count(string(text), "VERSION=") != 1 {
				t.Errorf("%s\n%v", text, err)
			}
		}
	})
	t.Run("no .env", func(t *testing.T) {
		m := prepare(t)
		if err := os.Remove(filepath.Join(m.dir, ".env")); err != nil {
			t.Fatal(err)
		}
		if said, code := m.run(free, "up"); code != 2 || !strings.Contains(said, `.env cannot be read: run "make env"`) {
			t.Errorf("code %d: %s", code, said)
		}
	})
	t.Run("no Docker", func(t *testing.T) {
		m := prepare(t)
		bin := t.TempDir()
		for _, tool := range []string{"bash", "dirname"} {
			path, err := exec.LookPath(tool)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
				t.Fatal(err)
			}
		}
		if said, code := m.run([]string{"PATH=" + bin}, "up"); code != 2 || !strings.Contains(said, "Docker is not installed: install Docker Engine") {
			t.Errorf("code %d: %s", code, said)
		}
	})
	t.Run("roll", func(t *testing.T) {
		m := prepare(t)
		if said, code := m.run(nil, "roll"); code != 0 {
			t.Fatalf("code %d: %s", code, said)
		}
		// The new ones are there and healthy before an old one is stopped.
		at := -1
		for _, step := range []string{
			"compose build api worker migrate\n", "compose run --rm migrate\n",
			"compose up --detach --no-deps --no-recreate --scale api=4 api\n", "inspect --format {{.State.Health.Status}} new-api-2\n",
			"stop old-api-1\n", "rm old-api-1\n", "stop old-api-2\n",
			"compose up --detach --no-deps --no-recreate --scale worker=4 worker\n", "stop old-worker-2\n",
		} {
			next := strings.Index(m.log(), step)
			if next <= at {
				t.Fatalf("%q is missing or too early in\n%s", step, m.log())
			}
			at = next
		}
		if strings.Contains(m.log(), "stop new") || strings.Contains(m.log(), "rm --force") {
			t.Error(m.log())
		}
	})
	t.Run("roll of what does not start", func(t *testing.T) {
		m := prepare(t)
		said, code := m.run([]string{"HEALTH=unhealthy"}, "roll")
		if code != 2 || !strings.Contains(said, "the new api does not become healthy") || !strings.Contains(m.log(), "rm --force new-api-1 new-api-2\n") {
			t.Errorf("code %d: %s\n%s", code, said, m.log())
		}
		if strings.Contains(m.log(), "stop old") || strings.Contains(m.log(), "worker=") {
			t.Errorf("the old ones do not go on:\n%s", m.log())
		}
	})
}

// TestPrograms starts the api and the worker with exactly what compose gives them,
// but for ports and folders of this machine: they take it, and run without the
// databases, which are not here.
func TestPrograms(t *testing.T) {
	t.Parallel()
	project := load(t, whole, nil)
	for program, here := range map[string]func(port string) map[string]string{
		"api": func(port string) map[string]string {
			return map[string]string{"PORT": port, "API_PRIVATE_PORT": "0", "MEDIA_DIR": t.TempDir(), "API_DRAIN_DELAY": "0s"}
		},
		"worker": func(port string) map[string]string {
			return map[string]string{"WORKER_PORT": port, "BACKUP_DIR": t.TempDir()}
		},
	} {
		t.Run(program, func(t *testing.T) {
			binary := filepath.Join(t.TempDir(), program)
			build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./cmd/"+program)
			build.Dir = filepath.Join(root, program)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			port := freePort(t)
			env := environment(project.Services[program])
			maps.Copy(env, here(port))
			cmd := exec.CommandContext(context.Background(), binary)
			for name, value := range env {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() { gone <- cmd.Wait() }()
			ping := strings.Fields(project.Services[program].HealthCheck.Test[1])
			if len(ping) != 1 || filepath.Base(ping[0]) != program {
				t.Fatalf("the health check runs %v", project.Services[program].HealthCheck.Test)
			}
			until(t, program+" is healthy", func() bool {
				select {
				case err := <-gone:
					t.Fatalf("it ended: %v\n%s", err, said.String())
				default:
				}
				check := exec.CommandContext(t.Context(), binary, project.Services[program].HealthCheck.Test[2:]...)
				check.Env = cmd.Env
				return check.Run() == nil
			})
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if err := <-gone; err != nil {
				t.Errorf("%v\n%s", err, said.String())
			}
			for name, value := range env {
				if isSecret(name) && value != "" && strings.Contains(said.String(), value) {
					t.Errorf("%s is in the log", name)
				}
			}
		})
	}
}

// TestPrometheusFindsReplicas: the names that it asks for are services.
func TestPrometheusFindsReplicas(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(root + "/deploy/prometheus/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	project := load(t, whole, nil, everything)
	names := regexp.MustCompile(`names: \[(\w+)\], type: A, port: (\d+)`).FindAllStringSubmatch(string(text), -1)
	if len(names) != 2 {
		t.Fatalf("%v", names)
	}
	for _, name := range names {
		service, ok := project.Services[name[1]]
		env := environment(service)
		if !ok || env["API_PRIVATE_PORT"] != name[2] && env["WORKER_PORT"] != name[2] {
			t.Errorf("%v leads nowhere: %v", name, env)
		}
	}
	if host := environment(project.Services["api"])["API_PRIVATE_HOST"]; host != "0.0.0.0" {
		t.Errorf("the api tells its metrics on %s alone", host)
	}
	source, err := os.ReadFile(root + "/deploy/grafana/provisioning/datasources/prometheus.yml")
	if err != nil || !strings.Contains(string(source), "url: http://prometheus:9090") {
		t.Errorf("%s, %v", source, err)
	}
	dashboards, err := os.ReadFile(root + "/deploy/grafana/provisioning/dashboards/etrainer.yml")
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, volume := range project.Services["grafana"].Volumes {
		found = found || strings.Contains(string(dashboards), "path: "+volume.Target) && strings.HasSuffix(volume.Source, "deploy/grafana/dashboards")
	}
	if !found {
		t.Error("the dashboards are not where Grafana looks")
	}
}

// patience is how long a test waits for what must come about.
const patience = 60 * time.Second

// until waits for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come to pass that %s", what)
		}
		<-tick.C
	}
}

// freePort returns a port where nobody listens.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}
