package kubernetes_test

import (
	"sync"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"

	"github.com/etrainer/backend/tools/deploy/internal/template"
)

// data returns the keys and values of a ConfigMap or Secret; false = there is none.
func data(o objects, kind, name string) (map[string]string, bool) {
	values := map[string]string{}
	switch kind {
	case "ConfigMap":
		m := one[*core.ConfigMap](o, name)
		if m == nil {
			return nil, false
		}
		values = m.Data
	case "Secret":
		s := one[*core.Secret](o, name)
		if s == nil {
			return nil, false
		}
		for key, value := range s.Data {
			values[key] = string(value)
		}
	}
	return values, true
}

// source is where a variable, or all of a container, come from.
type source struct{ kind, name, key string }

func sources(c core.Container) []source {
	var found []source
	for _, from := range c.EnvFrom {
		if from.ConfigMapRef != nil {
			found = append(found, source{"ConfigMap", from.ConfigMapRef.Name, ""})
		}
		if from.SecretRef != nil {
			found = append(found, source{"Secret", from.SecretRef.Name, ""})
		}
	}
	for _, e := range c.Env {
		if e.ValueFrom == nil {
			continue
		}
		if r := e.ValueFrom.ConfigMapKeyRef; r != nil {
			found = append(found, source{"ConfigMap", r.Name, r.Key})
		}
		if r := e.ValueFrom.SecretKeyRef; r != nil {
			found = append(found, source{"Secret", r.Name, r.Key})
		}
	}
	return found
}

func referencesExist(o objects) []string {
	found := faults(containers(o, func(f *faults, w workload, c core.Container) {
		for _, s := range sources(c) {
			values, ok := data(o, s.kind, s.name)
			if _, has := values[s.key]; !ok || s.key != "" && !has {
				f.add("%s: there is no %s %s with the key %q", w.name, s.kind, s.name, s.key)
			}
		}
	}))
	for _, w := range workloads(o) {
		account := w.pod.Spec.ServiceAccountName
		if account != "" && one[*core.ServiceAccount](o, account) == nil {
			found.add("%s: there is no ServiceAccount %s", w.name, account)
		}
	}
	if one[*networking.NetworkPolicy](o, "deny-all") == nil {
		found.add("the policy deny-all is missing")
	}
	return found
}

// environment is what a container gets, by the rules of Kubernetes: what comes
// later wins, and env over envFrom.
func environment(o objects, c core.Container) map[string]string {
	values := map[string]string{}
	for _, s := range sources(c) {
		from, _ := data(o, s.kind, s.name)
		for key, value := range from {
			if s.key == "" {
				values[key] = value
			}
		}
	}
	for _, e := range c.Env {
		values[e.Name] = e.Value
	}
	return values
}

// known is what each program reads.
var known = sync.OnceValues(func() (map[string]map[string]bool, error) { return template.Sections("../../..") })

// goRuntime are the variables of Go itself.
var goRuntime = map[string]bool{"GOMEMLIMIT": true, "GOGC": true, "GODEBUG": true}

func variablesAreKnown(o objects) []string {
	var found faults
	sections, err := known()
	if err != nil {
		found.add("%v", err)
	}
	for _, program := range []string{"api", "worker"} {
		d := one[*apps.Deployment](o, program)
		if d == nil {
			found.add("there is no Deployment %s", program)
			continue
		}
		values := environment(o, d.Spec.Template.Spec.Containers[0])
		for name := range values {
			if !sections[program][name] && !sections["both"][name] && !goRuntime[name] {
				found.add("%s does not know the variable %s", program, name)
			}
		}
		if values["MONGODB_URI"] == "" {
			found.add("%s has no database", program)
		}
	}
	return found
}
