package kubernetes_test

import (
	"fmt"
	"strconv"
	"strings"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apps "k8s.io/api/apps/v1"
	autoscaling "k8s.io/api/autoscaling/v2"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	gateway "sigs.k8s.io/gateway-api/apis/v1"
)

// rules are what no schema knows. Each returns what is wrong.
var rules = map[string]func(objects) []string{
	"selectors find pods":             selectorsFindPods,
	"ports exist":                     portsExist,
	"references exist":                referencesExist,
	"variables are known":             variablesAreKnown,
	"containers are bounded":          containersAreBounded,
	"containers are unprivileged":     containersAreUnprivileged,
	"containers are probed":           containersAreProbed,
	"there is time to drain":          thereIsTimeToDrain,
	"autoscalers own the replicas":    autoscalersOwnReplicas,
	"volumes are mounted and bounded": volumesAreMounted,
	"folders are writable":            foldersAreWritable,
}

type faults []string

func (f *faults) add(format string, v ...any) { *f = append(*f, fmt.Sprintf(format, v...)) }

// matching returns the pods that a selector finds.
func matching(o objects, selector *meta.LabelSelector) []workload {
	match, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil
	}
	var found []workload
	for _, w := range workloads(o) {
		if match.Matches(labels.Set(w.pod.Labels)) {
			found = append(found, w)
		}
	}
	return found
}

func selectorsFindPods(o objects) (f []string) {
	var found faults
	exactly := func(what string, selector *meta.LabelSelector, want string) {
		if got := matching(o, selector); len(got) != 1 || got[0].name != want {
			found.add("%s selects %d workloads, want %s alone", what, len(got), want)
		}
	}
	for _, d := range all[*apps.Deployment](o) {
		exactly("Deployment "+d.Name, d.Spec.Selector, d.Name)
		for _, spread := range d.Spec.Template.Spec.TopologySpreadConstraints {
			exactly("the spread of "+d.Name, spread.LabelSelector, d.Name)
		}
	}
	for _, s := range all[*core.Service](o) {
		exactly("Service "+s.Name, &meta.LabelSelector{MatchLabels: s.Spec.Selector}, s.Name)
	}
	for _, b := range all[*policy.PodDisruptionBudget](o) {
		exactly("PodDisruptionBudget "+b.Name, b.Spec.Selector, b.Name)
	}
	for _, p := range all[*networking.NetworkPolicy](o) {
		if len(matching(o, &p.Spec.PodSelector)) == 0 {
			found.add("NetworkPolicy %s selects nothing", p.Name)
		}
	}
	for _, m := range all[*monitoring.ServiceMonitor](o) {
		match, _ := meta.LabelSelectorAsSelector(&m.Spec.Selector)
		service := one[*core.Service](o, m.Name)
		if service == nil || !match.Matches(labels.Set(service.Labels)) {
			found.add("ServiceMonitor %s does not select its Service", m.Name)
		}
	}
	return found
}

// ports returns the ports of a pod by name and by number.
func ports(pod core.PodTemplateSpec) map[string]bool {
	found := map[string]bool{}
	for _, c := range pod.Spec.Containers {
		for _, p := range c.Ports {
			found[p.Name], found[strconv.Itoa(int(p.ContainerPort))] = true, true
		}
	}
	return found
}

func portsExist(o objects) []string {
	var found faults
	for _, s := range all[*core.Service](o) {
		for _, w := range matching(o, &meta.LabelSelector{MatchLabels: s.Spec.Selector}) {
			for _, p := range s.Spec.Ports {
				if !ports(w.pod)[p.TargetPort.String()] {
					found.add("Service %s leads to port %s, which %s has not", s.Name, p.TargetPort.String(), w.name)
				}
			}
		}
	}
	for _, p := range all[*networking.NetworkPolicy](o) {
		for _, rule := range p.Spec.Ingress {
			for _, port := range rule.Ports {
				if !anyHas(matching(o, &p.Spec.PodSelector), *port.Port) {
					found.add("NetworkPolicy %s opens port %s, which no pod of it has", p.Name, port.Port.String())
				}
			}
		}
	}
	for _, m := range all[*monitoring.ServiceMonitor](o) {
		for _, e := range m.Spec.Endpoints {
			if !servicePort(o, m.Name, e.Port) {
				found.add("ServiceMonitor %s asks port %s, which its Service has not", m.Name, e.Port)
			}
		}
	}
	return append(found, routesExist(o)...)
}

func anyHas(w []workload, port intstr.IntOrString) bool {
	for _, each := range w {
		if ports(each.pod)[port.String()] {
			return true
		}
	}
	return false
}

func servicePort(o objects, service, port string) bool {
	if s := one[*core.Service](o, service); s != nil {
		for _, p := range s.Spec.Ports {
			if p.Name == port || strconv.Itoa(int(p.Port)) == port {
				return true
			}
		}
	}
	return false
}

// routesExist looks at what is public: it may lead to the port "http" of a
// Service and to no other.
func routesExist(o objects) []string {
	var found faults
	check := func(what, service, port string) {
		if !servicePort(o, service, port) || port != "http" && port != "80" {
			found.add("%s leads to %s:%s, which is not the public port of a Service", what, service, port)
		}
	}
	for _, i := range all[*networking.Ingress](o) {
		for _, rule := range i.Spec.Rules {
			for _, path := range rule.HTTP.Paths {
				check("Ingress "+i.Name, path.Backend.Service.Name, path.Backend.Service.Port.Name)
			}
			if len(i.Spec.TLS) != 1 || len(i.Spec.TLS[0].Hosts) != 1 || i.Spec.TLS[0].Hosts[0] != rule.Host {
				found.add("Ingress %s has no certificate for %s", i.Name, rule.Host)
			}
		}
	}
	for _, r := range all[*gateway.HTTPRoute](o) {
		for _, rule := range r.Spec.Rules {
			for _, b := range rule.BackendRefs {
				check("HTTPRoute "+r.Name, string(b.Name), strconv.Itoa(int(*b.Port)))
			}
		}
	}
	return found
}

func autoscalersOwnReplicas(o objects) []string {
	var found faults
	owners := map[string]int{}
	for _, h := range all[*autoscaling.HorizontalPodAutoscaler](o) {
		owners[h.Spec.ScaleTargetRef.Kind+" "+h.Spec.ScaleTargetRef.Name]++
	}
	for _, s := range all[*scaledObject](o) {
		owners["Deployment "+s.Spec.ScaleTargetRef.Name]++
	}
	for owned, n := range owners {
		d := one[*apps.Deployment](o, strings.TrimPrefix(owned, "Deployment "))
		switch {
		case d == nil:
			found.add("an autoscaler scales %s, which does not exist", owned)
		case n > 1:
			found.add("%d autoscalers scale %s", n, owned)
		case d.Spec.Replicas != nil:
			found.add("%s has replicas, and an autoscaler", owned)
		}
	}
	return found
}
