package kubernetes_test

import (
	"slices"
	"strings"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
)

// containers calls check for every container, init containers included.
func containers(o objects, check func(f *faults, w workload, c core.Container)) []string {
	var found faults
	for _, w := range workloads(o) {
		for _, c := range slices.Concat(w.pod.Spec.InitContainers, w.pod.Spec.Containers) {
			check(&found, w, c)
		}
	}
	return found
}

func containersAreBounded(o objects) []string {
	return containers(o, func(f *faults, w workload, c core.Container) {
		for _, name := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory} {
			request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
			if request.IsZero() || limit.IsZero() || request.Cmp(limit) > 0 {
				f.add("%s: %s has the request %s and the limit %s of %s", w.name, c.Name, request.String(), limit.String(), name)
			}
		}
	})
}

// containersAreUnprivileged is the restricted profile of the pod security
// standards, and a root file system that nobody writes to.
func containersAreUnprivileged(o objects) []string {
	found := containers(o, func(f *faults, w workload, c core.Container) {
		s := c.SecurityContext
		if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation ||
			s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
			s.Capabilities == nil || !slices.Equal(s.Capabilities.Drop, []core.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			f.add("%s: %s is not locked down", w.name, c.Name)
		}
	})
	for _, w := range workloads(o) {
		p := w.pod.Spec
		s := p.SecurityContext
		if s == nil || s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 ||
			s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault {
			found = append(found, w.name+" may run as root, or without seccomp")
		}
		if p.HostNetwork || p.HostPID || p.HostIPC {
			found = append(found, w.name+" shares the host's network or processes")
		}
		if p.AutomountServiceAccountToken == nil || *p.AutomountServiceAccountToken {
			found = append(found, w.name+" gets a token of the cluster")
		}
		if p.EnableServiceLinks == nil || *p.EnableServiceLinks {
			found = append(found, w.name+" gets variables of other Services, such as REDIS_PORT")
		}
	}
	return found
}

// containersAreProbed wants all three probes of everything that goes on, at
// ports that are open, and of ours at the right paths.
func containersAreProbed(o objects) []string {
	var found faults
	for _, d := range all[*apps.Deployment](o) {
		open := ports(d.Spec.Template)
		for _, c := range d.Spec.Template.Spec.Containers {
			for _, each := range []struct {
				path  string
				probe *core.Probe
			}{{"/livez", c.StartupProbe}, {"/livez", c.LivenessProbe}, {"/readyz", c.ReadinessProbe}} {
				checkProbe(&found, d.Name, each.path, each.probe, open)
			}
		}
	}
	return found
}

func checkProbe(found *faults, name, path string, probe *core.Probe, open map[string]bool) {
	switch {
	case probe == nil:
		found.add("%s lacks a probe", name)
	case probe.TCPSocket != nil && open[probe.TCPSocket.Port.String()]:
	case probe.HTTPGet == nil || !open[probe.HTTPGet.Port.String()]:
		found.add("a probe of %s asks no open port", name)
	case probe.HTTPGet.Path != path:
		found.add("a probe of %s asks %s, want %s", name, probe.HTTPGet.Path, path)
	}
}

// thereIsTimeToDrain compares the grace of the pods with the times of the
// programs, and the drain with how soon a failing /readyz is noticed.
func thereIsTimeToDrain(o objects) []string {
	var found faults
	for name, phases := range map[string][]string{"api": {"API_DRAIN_DELAY", "API_SHUTDOWN_TIMEOUT"}, "worker": {"WORKER_SHUTDOWN_TIMEOUT"}} {
		d := one[*apps.Deployment](o, name)
		if d == nil || d.Spec.Template.Spec.TerminationGracePeriodSeconds == nil {
			found.add("%s has no grace period", name)
			continue
		}
		values, needed := environment(o, d.Spec.Template.Spec.Containers[0]), 5*time.Second
		for _, phase := range phases {
			took, err := time.ParseDuration(values[phase])
			if err != nil {
				found.add("%s: %s: %v", name, phase, err)
			}
			needed += took
		}
		if grace := time.Duration(*d.Spec.Template.Spec.TerminationGracePeriodSeconds) * time.Second; grace < needed {
			found.add("%s is killed after %s, and may need %s", name, grace, needed)
		}
		if ready := d.Spec.Template.Spec.Containers[0].ReadinessProbe; name == "api" && ready != nil {
			drain, _ := time.ParseDuration(values["API_DRAIN_DELAY"])
			if noticed := time.Duration(ready.PeriodSeconds*ready.FailureThreshold) * time.Second; noticed >= drain {
				found.add("a failing /readyz is noticed after %s, and the port closes after %s", noticed, drain)
			}
		}
	}
	return found
}

func volumesAreMounted(o objects) []string {
	var found faults
	for _, w := range workloads(o) {
		volumes := map[string]bool{}
		for _, v := range w.pod.Spec.Volumes {
			volumes[v.Name] = true
			if v.EmptyDir != nil && v.EmptyDir.SizeLimit == nil {
				found.add("%s: the volume %s has no limit", w.name, v.Name)
			}
		}
		for _, c := range w.pod.Spec.Containers {
			for _, m := range c.VolumeMounts {
				if !volumes[m.Name] {
					found.add("%s: the volume %s does not exist", w.name, m.Name)
				}
			}
		}
	}
	return found
}

// foldersAreWritable: the root file system is read-only, so what a program
// writes to must lie in a volume.
func foldersAreWritable(o objects) []string {
	return containers(o, func(f *faults, w workload, c core.Container) {
		values := environment(o, c)
		for _, name := range []string{"MEDIA_DIR", "BACKUP_DIR"} {
			inside := func(m core.VolumeMount) bool {
				return !m.ReadOnly && strings.HasPrefix(values[name]+"/", m.MountPath+"/")
			}
			if values[name] != "" && !slices.ContainsFunc(c.VolumeMounts, inside) {
				f.add("%s: %s is %s, which lies in no volume", w.name, name, values[name])
			}
		}
		if values["MEDIA_DIR"] == "" && w.name == "api" {
			f.add("api: MEDIA_DIR is its default, which lies in no volume")
		}
	})
}
