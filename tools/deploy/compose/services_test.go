package compose_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
)

// once are the services that run at each "up", and end.
var once = []string{"certificate", "migrate", "replicaset"}

// TestServices names what there is, with each profile.
func TestServices(t *testing.T) {
	t.Parallel()
	product := []string{"api", "certificate", "migrate", "mongo1", "mongo2", "mongo3", "nginx", "redis", "replicaset", "worker"}
	tests := []struct {
		files    []string
		profiles []string
		want     []string
	}{
		{whole, nil, product},
		{whole, []string{"tools"}, append([]string{"mongo-express", "redis-commander"}, product...)},
		{whole, []string{"monitoring"}, append([]string{"grafana", "prometheus"}, product...)},
		{small, nil, []string{"api", "certificate", "migrate", "mongo1", "nginx", "redis", "replicaset", "worker"}},
	}
	for _, test := range tests {
		got := load(t, test.files, nil, test.profiles...).ServiceNames()
		slices.Sort(test.want)
		if !slices.Equal(got, test.want) {
			t.Errorf("%v %v: %v, want %v", test.files, test.profiles, got, test.want)
		}
	}
}

// each runs a check for every service of both projects.
func each(t *testing.T, check func(t *testing.T, s types.ServiceConfig)) {
	t.Helper()
	for _, files := range [][]string{whole, small} {
		for name, service := range load(t, files, nil, everything).Services {
			t.Run(files[len(files)-1]+"/"+name, func(t *testing.T) { check(t, service) })
		}
	}
}

// TestLocked: no service may write its root, gain rights, or keep capabilities
// that it does not need.
func TestLocked(t *testing.T) {
	t.Parallel()
	writes := []string{"redis-commander"}
	asRoot := []string{"certificate"}
	each(t, func(t *testing.T, s types.ServiceConfig) {
		if s.ReadOnly == slices.Contains(writes, s.Name) {
			t.Errorf("read-only root: %v", s.ReadOnly)
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || !slices.Equal(s.CapDrop, []string{"ALL"}) || s.Privileged {
			t.Errorf("security options %v, dropped capabilities %v, privileged %v", s.SecurityOpt, s.CapDrop, s.Privileged)
		}
		if (s.User == "0:0" || len(s.CapAdd) > 0) != slices.Contains(asRoot, s.Name) {
			t.Errorf("user %q with capabilities %v", s.User, s.CapAdd)
		}
		if s.User == "0:0" && s.NetworkMode != "none" {
			t.Errorf("root has a network: %q", s.NetworkMode)
		}
	})
}

// TestBounded: limits, restarts, logs and the health of every service are set.
func TestBounded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s types.ServiceConfig) {
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil {
			t.Fatal("no limits")
		}
		limits := s.Deploy.Resources.Limits
		if limits.NanoCPUs <= 0 || limits.MemoryBytes <= 0 || limits.Pids <= 0 {
			t.Errorf("limits: %+v", limits)
		}
		if s.Logging == nil || s.Logging.Driver != "json-file" || s.Logging.Options["max-size"] == "" || s.Logging.Options["max-file"] == "" {
			t.Errorf("logs are not rotated: %+v", s.Logging)
		}
		if slices.Contains(once, s.Name) {
			if s.Restart != "no" || s.HealthCheck == nil || !s.HealthCheck.Disable {
				t.Errorf("runs once, with restart %q and health check %+v", s.Restart, s.HealthCheck)
			}
			return
		}
		if s.Restart != "unless-stopped" || s.HealthCheck == nil || len(s.HealthCheck.Test) < 2 || s.HealthCheck.Interval == nil || s.HealthCheck.Retries == nil {
			t.Errorf("restart %q, health check %+v", s.Restart, s.HealthCheck)
		}
	})
}

var release = regexp.MustCompile(`^[a-z0-9./-]+:v?[0-9]+\.[0-9]+\.[0-9]+(-[a-z0-9.]+)?$`)

// TestImages: those of others are pinned to a release, ours are built from a
// Dockerfile that exists and carry the version.
func TestImages(t *testing.T) {
	t.Parallel()
	project := load(t, whole, map[string]string{"VERSION": "v1.2.3", "COMMIT": "abc"}, everything)
	for name, service := range project.Services {
		if service.Build == nil {
			if !release.MatchString(service.Image) {
				t.Errorf("%s: the image %q is not pinned to a release", name, service.Image)
			}
			continue
		}
		if service.Image != "etrainer/"+name+":v1.2.3" || *service.Build.Args["VERSION"] != "v1.2.3" || *service.Build.Args["COMMIT"] != "abc" {
			t.Errorf("%s: image %q, arguments %v", name, service.Image, service.Build.Args)
		}
		if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil || !strings.Contains(service.Build.Dockerfile, name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOnlyTheEdgeIsPublic: what else has a port has it on the loopback interface.
func TestOnlyTheEdgeIsPublic(t *testing.T) {
	t.Parallel()
	project := load(t, whole, nil, everything)
	var public []string
	for name, service := range project.Services {
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				public = append(public, name+" "+port.Published)
			}
		}
	}
	slices.Sort(public)
	if want := []string{"nginx 443", "nginx 80"}; !slices.Equal(public, want) {
		t.Errorf("public: %v, want %v", public, want)
	}
	// Only a network that leads outside can carry a port, and databases have none.
	for name, service := range project.Services {
		outside := false
		for network := range service.Networks {
			outside = outside || !project.Networks[network].Internal
		}
		switch {
		case len(service.Ports) > 0 && !outside:
			t.Errorf("%s publishes ports, and all its networks are internal", name)
		case outside && len(service.Ports) == 0 && name != "api" && name != "worker":
			t.Errorf("%s can reach the internet", name)
		}
	}
}

// TestReplicas: as many as wanted, each of which the edge and Prometheus find once.
func TestReplicas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		files       []string
		change      map[string]string
		api, worker int
	}{
		{whole, nil, 3, 2},
		{whole, map[string]string{"API_REPLICAS": "5", "WORKER_REPLICAS": "4"}, 5, 4},
		{small, nil, 1, 1},
	} {
		project := load(t, test.files, test.change, everything)
		for name, want := range map[string]int{"api": test.api, "worker": test.worker} {
			service := project.Services[name]
			if got := service.GetScale(); got != want {
				t.Errorf("%v: %d of %s, want %d", test.files, got, name, want)
			}
			if service.ContainerName != "" || len(service.Ports) > 0 || service.Hostname != "" {
				t.Errorf("%s cannot be scaled: name %q, ports %v, host name %q", name, service.ContainerName, service.Ports, service.Hostname)
			}
			for _, asker := range []string{"nginx", "prometheus"} {
				shared := 0
				for network := range project.Services[asker].Networks {
					if _, ok := service.Networks[network]; ok {
						shared++
					}
				}
				if want := 1; shared != want && !(asker == "nginx" && name == "worker" && shared == 0) {
					t.Errorf("%s and %s share %d networks, want %d", asker, name, shared, want)
				}
			}
		}
	}
}

// TestOrder: who waits for whom, and for what.
func TestOrder(t *testing.T) {
	t.Parallel()
	const (
		started   = types.ServiceConditionStarted
		healthy   = types.ServiceConditionHealthy
		completed = types.ServiceConditionCompletedSuccessfully
	)
	want := map[string]map[string]string{
		"nginx":           {"api": healthy, "certificate": completed},
		"api":             {"migrate": completed, "redis": healthy},
		"worker":          {"migrate": completed, "redis": healthy},
		"migrate":         {"replicaset": completed},
		"replicaset":      {"mongo1": started, "mongo2": started, "mongo3": started}, // it waits itself
		"mongo-express":   {"replicaset": completed},
		"redis-commander": {"redis": healthy},
		"prometheus":      {"api": healthy, "worker": healthy},
		"grafana":         {"prometheus": healthy},
	}
	for _, files := range [][]string{whole, small} {
		project := load(t, files, nil, everything)
		for name, service := range project.Services {
			got := map[string]string{}
			for other, dependency := range service.DependsOn {
				got[other] = dependency.Condition
			}
			expected := maps.Clone(want[name])
			if len(files) > 1 {
				delete(expected, "mongo2")
				delete(expected, "mongo3")
			}
			if !maps.Equal(got, expected) {
				t.Errorf("%v: %s waits for %v, want %v", files, name, got, expected)
			}
		}
	}
}

// TestVolumes: every named volume is declared and used, and every path exists.
func TestVolumes(t *testing.T) {
	t.Parallel()
	made := []string{"tls", "acme"} // by "make up"
	for _, files := range [][]string{whole, small} {
		project := load(t, files, nil, everything)
		used := map[string][]string{}
		for name, service := range project.Services {
			for _, volume := range service.Volumes {
				switch volume.Type {
				case types.VolumeTypeVolume:
					used[volume.Source] = append(used[volume.Source], name)
					if _, ok := project.Volumes[volume.Source]; !ok {
						t.Errorf("%s: the volume %q is not declared", name, volume.Source)
					}
				case types.VolumeTypeBind:
					if !volume.ReadOnly {
						t.Errorf("%s may write %s of this machine", name, volume.Source)
					}
					if _, err := os.Stat(volume.Source); err != nil && !slices.Contains(made, filepath.Base(volume.Source)) {
						t.Errorf("%s: %v", name, err)
					}
				default:
					t.Errorf("%s: unexpected %+v", name, volume)
				}
			}
		}
		for volume := range project.Volumes {
			if len(used[volume]) == 0 {
				t.Errorf("%v: nobody uses the volume %s", files, volume)
			}
		}
		// The programs are not root: the image has the folder, with their owner.
		for name, want := range map[string][]string{"api": {"/media"}, "worker": {"/media", "/backups"}} {
			service := project.Services[name]
			text, err := os.ReadFile(filepath.Join(service.Build.Context, service.Build.Dockerfile))
			if err != nil {
				t.Fatal(err)
			}
			var targets []string
			for _, volume := range service.Volumes {
				targets = append(targets, volume.Target)
				if line := "\nCOPY --from=build --chown=65532:65532 /out" + volume.Target + " " + volume.Target + "\n"; !strings.Contains(string(text), line) {
					t.Errorf("%s cannot write its volume at %s", name, volume.Target)
				}
			}
			if !slices.Equal(targets, want) {
				t.Errorf("%s has volumes at %v, want %v", name, targets, want)
			}
		}
		slices.Sort(used["uploads"])
		if !slices.Equal(used["uploads"], []string{"api", "worker"}) || !slices.Equal(used["backups"], []string{"worker"}) {
			t.Errorf("uploads: %v, backups: %v", used["uploads"], used["backups"])
		}
	}
}

// TestGrace: a container is killed only after its program has had its own time to
// end, and Go collects garbage before the limit of the container.
func TestGrace(t *testing.T) {
	t.Parallel()
	project := load(t, whole, nil)
	for name, variables := range map[string][]string{"api": {"API_DRAIN_DELAY", "API_SHUTDOWN_TIMEOUT"}, "worker": {"WORKER_SHUTDOWN_TIMEOUT"}} {
		service := project.Services[name]
		needs := 5 * time.Second
		for _, variable := range variables {
			part, err := time.ParseDuration(*service.Environment[variable])
			if err != nil {
				t.Fatal(err)
			}
			needs += part
		}
		if service.StopGracePeriod == nil || time.Duration(*service.StopGracePeriod) < needs {
			t.Errorf("%s: stop_grace_period %v, and it may need %v", name, service.StopGracePeriod, needs)
		}
		var limit types.UnitBytes
		if err := limit.DecodeMapstructure(strings.Replace(*service.Environment["GOMEMLIMIT"], "iB", "b", 1)); err != nil {
			t.Fatal(err)
		}
		if most := service.Deploy.Resources.Limits.MemoryBytes; limit <= most/2 || limit >= most*9/10 {
			t.Errorf("%s: GOMEMLIMIT %d with a limit of %d bytes", name, limit, most)
		}
	}
}
