package kubernetes_test

import (
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
)

func TestOverlays(t *testing.T) {
	t.Parallel()
	for _, overlay := range overlays {
		t.Run(overlay, func(t *testing.T) {
			t.Parallel()
			made := build(t, overlay)
			for name, rule := range rules {
				for _, fault := range rule(made) {
					t.Errorf("%s: %s", name, fault)
				}
			}
		})
	}
}

// TestRulesFindFaults spoils what is right, once for each rule: a rule that
// finds nothing would prove nothing.
func TestRulesFindFaults(t *testing.T) {
	t.Parallel()
	api := func(o objects) *core.PodSpec { return &one[*apps.Deployment](o, "api").Spec.Template.Spec }
	tests := map[string]struct {
		rule  string
		spoil func(o objects)
	}{
		"a Service of nobody": {"selectors find pods", func(o objects) { one[*core.Service](o, "api").Spec.Selector["app.kubernetes.io/name"] = "apis" }},
		"a wrong port":        {"ports exist", func(o objects) { one[*core.Service](o, "worker").Spec.Ports[0].TargetPort.StrVal = "http" }},
		"a public private port": {"ports exist", func(o objects) {
			one[*networking.Ingress](o, "api").Spec.Rules[0].HTTP.Paths[0].Backend.Service.Port.Name = "metrics"
		}},
		"another host":     {"ports exist", func(o objects) { one[*networking.Ingress](o, "api").Spec.Rules[0].Host = "api.example" }},
		"a missing Secret": {"references exist", func(o objects) { api(o).Containers[0].EnvFrom[2].SecretRef.Name = "databases" }},
		"a missing key": {"references exist", func(o objects) {
			one[*batch.Job](o, "migrate").Spec.Template.Spec.Containers[0].Env[0].ValueFrom.ConfigMapKeyRef.Key = "X"
		}},
		"a missing account":        {"references exist", func(o objects) { api(o).ServiceAccountName = "root" }},
		"an unknown variable":      {"variables are known", func(o objects) { api(o).Containers[0].Env = []core.EnvVar{{Name: "API_PORT", Value: "1"}} }},
		"the worker's variable":    {"variables are known", func(o objects) { api(o).Containers[0].Env = []core.EnvVar{{Name: "WORKER_PORT", Value: "1"}} }},
		"no limit":                 {"containers are bounded", func(o objects) { delete(api(o).Containers[0].Resources.Limits, core.ResourceMemory) }},
		"a writable root":          {"containers are unprivileged", func(o objects) { api(o).Containers[0].SecurityContext.ReadOnlyRootFilesystem = nil }},
		"root":                     {"containers are unprivileged", func(o objects) { *api(o).SecurityContext.RunAsUser = 0 }},
		"no seccomp":               {"containers are unprivileged", func(o objects) { api(o).SecurityContext.SeccompProfile = nil }},
		"links of Services":        {"containers are unprivileged", func(o objects) { api(o).EnableServiceLinks = nil }},
		"no readiness":             {"containers are probed", func(o objects) { api(o).Containers[0].ReadinessProbe = nil }},
		"liveness by the database": {"containers are probed", func(o objects) { api(o).Containers[0].LivenessProbe.HTTPGet.Path = "/readyz" }},
		"a short grace":            {"there is time to drain", func(o objects) { *api(o).TerminationGracePeriodSeconds = 30 }},
		"a slow readiness":         {"there is time to drain", func(o objects) { api(o).Containers[0].ReadinessProbe.PeriodSeconds = 5 }},
		"two owners":               {"autoscalers own the replicas", func(o objects) { one[*apps.Deployment](o, "worker").Spec.Replicas = new(int32) }},
		"a target of nobody":       {"autoscalers own the replicas", func(o objects) { one[*autoscaling.HorizontalPodAutoscaler](o, "api").Spec.ScaleTargetRef.Name = "web" }},
		"a folder of the image": {"folders are writable", func(o objects) {
			api(o).Containers[0].Env = []core.EnvVar{{Name: "MEDIA_DIR", Value: "/media"}}
		}},
		"an endless volume": {"volumes are mounted and bounded", func(o objects) { api(o).Volumes[0].EmptyDir.SizeLimit = nil }},
	}
	tried := map[string]bool{}
	for name, test := range tests {
		tried[test.rule] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := build(t, "production")
			test.spoil(made)
			if len(rules[test.rule](made)) == 0 {
				t.Errorf("the rule %q finds nothing", test.rule)
			}
		})
	}
	for name := range rules {
		if !tried[name] {
			t.Errorf("nothing tries the rule %q", name)
		}
	}
}

// TestDecodeIsStrict: misspelt, doubled and unknown things are refused.
func TestDecodeIsStrict(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"apiVersion":"v1","kind":"Service","spec":{"selectors":{}}}`:                               `unknown field "spec.selectors"`,
		`{"apiVersion":"v1","kind":"Service","spec":{"Selector":{}}}`:                                `unknown field "spec.Selector"`,
		`{"apiVersion":"v1","kind":"Service","spec":{"type":"A","type":"B"}}`:                        `duplicate field "spec.type"`,
		`{"apiVersion":"v1","kind":"Service","spec":{"ports":[{"port":"http"}]}}`:                    "cannot unmarshal string",
		`{"apiVersion":"apps/v1beta1","kind":"Deployment"}`:                                          "is unknown",
		`{"apiVersion":"keda.sh/v1alpha1","kind":"ScaledObject","spec":{"minReplicas":1}}`:           `unknown field "spec.minReplicas"`,
		`{"apiVersion":"monitoring.coreos.com/v1","kind":"ServiceMonitor","spec":{"endpoint":[]}}`:   `unknown field "spec.endpoint"`,
		`{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","spec":{"hostname":["a"]}}`: `unknown field "spec.hostname"`,
	} {
		if _, err := decode([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestPhases: what ../apply brings first is all that the migrations need.
func TestPhases(t *testing.T) {
	t.Parallel()
	for _, overlay := range []string{"production", "kind"} {
		var first objects
		for _, each := range build(t, overlay) {
			if each.GetLabels()["etrainer.example/phase"] == "first" {
				first = append(first, each)
			}
		}
		if one[*batch.Job](first, "migrate") == nil || len(all[*core.Namespace](first)) != 1 {
			t.Errorf("%s: the first phase has no namespace or no migrations", overlay)
		}
		if one[*apps.Deployment](first, "api") != nil || one[*apps.Deployment](first, "worker") != nil {
			t.Errorf("%s: programs start before the migrations", overlay)
		}
		for _, fault := range append(referencesExist(first), selectorsFindPods(first)...) {
			t.Errorf("%s: %s", overlay, fault)
		}
	}
}
