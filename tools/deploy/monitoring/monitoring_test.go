package monitoring_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

const deploy = "../../../deploy/"

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// strict decodes YAML; an unknown or doubled field fails the test.
func strict(t *testing.T, path string, into any) {
	t.Helper()
	if err := yaml.UnmarshalStrict(read(t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// exported is what the programs export, as their own tests check.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{"up": true} // Prometheus's own
	for _, program := range []string{"api", "worker"} {
		for name := range strings.FieldsSeq(string(read(t, deploy+"prometheus/metrics/"+program+".txt"))) {
			names[name] = true
		}
	}
	return names
}

// used parses an expression, and adds its metrics to names.
func used(t *testing.T, where, expression string, names map[string]bool) {
	t.Helper()
	for variable, value := range map[string]string{"$__rate_interval": "1m", "$__interval": "15s"} {
		expression = strings.ReplaceAll(expression, variable, value)
	}
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return
	}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			names[metric(selector.Name)] = true
		}
		return nil
	})
}

var parts = regexp.MustCompile(`_(bucket|sum|count)$`)

// metric is the family that a series of a histogram belongs to.
func metric(series string) string { return parts.ReplaceAllString(series, "") }

type rules struct {
	Groups []group `json:"groups"`
}

type group struct {
	Name  string `json:"name"`
	Rules []struct {
		Alert       string            `json:"alert"`
		Expr        string            `json:"expr"`
		For         string            `json:"for,omitempty"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"rules"`
}

// TestRules checks the rules with Prometheus's own parser, templates included.
func TestRules(t *testing.T) {
	t.Parallel()
	const path = deploy + "prometheus/rules.yml"
	if _, errs := rulefmt.Parse(read(t, path), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler)); len(errs) > 0 {
		t.Fatal(errs)
	}
	var all rules
	strict(t, path, &all)
	explained := string(read(t, "../../../docs/operating.md"))
	for _, group := range all.Groups {
		for _, rule := range group.Rules {
			if severity := rule.Labels["severity"]; severity != "page" && severity != "ticket" {
				t.Errorf("%s has the severity %q", rule.Alert, severity)
			}
			if rule.Annotations["summary"] == "" {
				t.Errorf("%s has no summary", rule.Alert)
			}
			if !strings.Contains(explained, "`"+rule.Alert+"`") {
				t.Errorf("docs/operating.md does not tell what %s means", rule.Alert)
			}
		}
	}
}

// TestClusterHasTheSameRules: the rules of the component monitoring are those of
// plain Prometheus.
func TestClusterHasTheSameRules(t *testing.T) {
	t.Parallel()
	var plain rules
	strict(t, deploy+"prometheus/rules.yml", &plain)
	var object struct {
		Spec rules `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, deploy+"kubernetes/components/monitoring/prometheusrule.yaml"), &object); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain, object.Spec) {
		t.Error("prometheusrule.yaml differs from rules.yml: copy its groups")
	}
}

// TestMetricsExist: alerts, charts and the autoscaler name what the programs
// export, and the programs' lists name nothing else.
func TestMetricsExist(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	var all rules
	strict(t, deploy+"prometheus/rules.yml", &all)
	for _, group := range all.Groups {
		for _, rule := range group.Rules {
			used(t, rule.Alert, rule.Expr, names)
		}
	}
	for _, panel := range dashboard(t).Panels {
		for _, target := range panel.Targets {
			used(t, panel.Title, target.Expr, names)
		}
	}
	var scaled struct {
		Spec struct {
			Triggers []struct {
				Name     string `json:"name"`
				Metadata struct {
					Query string `json:"query"`
				} `json:"metadata"`
			} `json:"triggers"`
		} `json:"spec"`
	}
	if err := yaml.Unmarshal(read(t, deploy+"kubernetes/components/keda/scaledobject.yaml"), &scaled); err != nil {
		t.Fatal(err)
	}
	for _, trigger := range scaled.Spec.Triggers {
		used(t, trigger.Name, trigger.Metadata.Query, names)
	}
	has := exported(t)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !has[name] {
			t.Errorf("%s is named, and not in deploy/prometheus/metrics/*.txt: no program is known to export it", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(has)) {
		if !names[name] && name != "up" {
			t.Errorf("%s is listed in deploy/prometheus/metrics, and nothing names it", name)
		}
	}
}

type board struct {
	UID    string `json:"uid"`
	Title  string `json:"title"`
	Panels []struct {
		ID         int    `json:"id"`
		Type       string `json:"type"`
		Title      string `json:"title"`
		Datasource struct {
			UID string `json:"uid"`
		} `json:"datasource"`
		GridPos struct{ H, W, X, Y int } `json:"gridPos"`
		Targets []struct {
			RefID string `json:"refId"`
			Expr  string `json:"expr"`
		} `json:"targets"`
	} `json:"panels"`
}

func dashboard(t *testing.T) board {
	t.Helper()
	var b board
	if err := json.NewDecoder(bytes.NewReader(read(t, deploy+"grafana/dashboards/etrainer.json"))).Decode(&b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDashboard: panels have their own ids and places, and ask the data source
// that is provisioned.
func TestDashboard(t *testing.T) {
	t.Parallel()
	var sources struct {
		APIVersion  int `json:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, URL string
			IsDefault            bool
		} `json:"datasources"`
	}
	strict(t, deploy+"grafana/provisioning/datasources/prometheus.yml", &sources)
	var providers struct {
		APIVersion int `json:"apiVersion"`
		Providers  []struct {
			Name, Type            string
			UpdateIntervalSeconds int
			Options               struct{ Path string }
		} `json:"providers"`
	}
	strict(t, deploy+"grafana/provisioning/dashboards/etrainer.yml", &providers)
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, panel := range dashboard(t).Panels {
		if ids[panel.ID] {
			t.Errorf("%s: the id %d is taken", panel.Title, panel.ID)
		}
		ids[panel.ID] = true
		if panel.Type != "row" && (panel.Datasource.UID != sources.Datasources[0].UID || len(panel.Targets) == 0) {
			t.Errorf("%s asks %q for %d things", panel.Title, panel.Datasource.UID, len(panel.Targets))
		}
		at := panel.GridPos
		if at.X+at.W > 24 || at.W <= 0 || at.H <= 0 {
			t.Errorf("%s is outside the grid", panel.Title)
		}
		for x := at.X; x < at.X+at.W; x++ {
			for y := at.Y; y < at.Y+at.H; y++ {
				if other := cells[[2]int{x, y}]; other != "" {
					t.Fatalf("%s covers %s", panel.Title, other)
				}
				cells[[2]int{x, y}] = panel.Title
			}
		}
	}
}

// TestScrapes: both programs are asked, at the ports of their defaults, and the
// rules are loaded.
func TestScrapes(t *testing.T) {
	t.Parallel()
	var config struct {
		Global struct {
			ScrapeInterval     string `json:"scrape_interval"`
			EvaluationInterval string `json:"evaluation_interval"`
		} `json:"global"`
		RuleFiles     []string `json:"rule_files"`
		ScrapeConfigs []struct {
			JobName string `json:"job_name"`
			DNS     []struct {
				Names           []string `json:"names"`
				Type            string   `json:"type"`
				Port            int      `json:"port"`
				RefreshInterval string   `json:"refresh_interval"`
			} `json:"dns_sd_configs"`
		} `json:"scrape_configs"`
	}
	strict(t, deploy+"prometheus/prometheus.yml", &config)
	for _, file := range config.RuleFiles {
		if _, err := os.Stat(filepath.Join(deploy, "prometheus", file)); err != nil {
			t.Error(err)
		}
	}
	template := string(read(t, "../../../.env.production.example"))
	for i, want := range []struct {
		job, variable string
		port          int
	}{{"api", "#API_PRIVATE_PORT=9090\n", 9090}, {"worker", "#WORKER_PORT=9091\n", 9091}} {
		if got := config.ScrapeConfigs[i]; got.JobName != want.job || got.DNS[0].Port != want.port || !strings.Contains(template, want.variable) {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}
