package scale

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/etrainer/backend/pkg/catalog"
	"github.com/etrainer/backend/pkg/push/pushtest"
)

// The budgets.
const (
	mostMB      = 120
	leastPushed = 5000 // a second, where a job pushes
)

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := beChild(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	rows.print()
	os.Exit(code)
}

// jobs are those that go through everything.
var jobs = []struct {
	name   string
	pushes bool
}{
	{catalog.DailyNotifications.Name, true},
	{catalog.StudyReminders.Name, true},
	{catalog.NudgeInactive.Name, true},
	{catalog.Streaks.Name, false},
	{catalog.WeeklyReports.Name, false},
	{catalog.ExamCleanup.Name, false},
	{catalog.Backup.Name, false},
}

// BenchmarkJobs runs each job on a tenth of the data and on all of it. Run it
// with -benchtime 1x. SCALE_USERS and SCALE_HISTORY set the sizes.
func BenchmarkJobs(b *testing.B) {
	full := size{users: number(b, "SCALE_USERS", 1_000_000), history: number(b, "SCALE_HISTORY", 10_000_000)}
	for _, j := range jobs {
		for _, s := range []size{{full.users / 10, full.history / 10}, full} {
			b.Run(fmt.Sprintf("%s/users=%d", strings.ReplaceAll(j.name, " ", "-"), s.users), func(b *testing.B) {
				for b.Loop() {
					row := measure(b, j.name, s)
					row.pushes = j.pushes
					rows = append(rows, row)
					b.ReportMetric(row.PeakMB, "peak-MB")
					b.ReportMetric(float64(row.commands), "commands")
					b.ReportMetric(float64(s.users)/row.Seconds, "users/s")
				}
			})
		}
	}
}

func number(b *testing.B, variable string, otherwise int) int {
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 10 { // a tenth is run first
		b.Fatalf("%s=%q is no number of 10 or more", variable, text)
	}
	return n
}

// row is one run.
type row struct {
	news

	job      string
	size     size
	commands int
	written  map[string]int
	pushed   int
	pushes   bool
}

// measure runs a job in a process of its own.
func measure(b *testing.B, name string, s size) row {
	b.Helper()
	now := time.Date(2025, 8, 4, 9, 0, 0, 0, time.UTC)
	db, f, e := newDatabase(b, s, now), pushtest.NewFCM(b), pushtest.NewExpo(b)
	cert := filepath.Join(b.TempDir(), "cert.pem")
	f.Trust(b, cert)
	text, err := json.Marshal(order{
		Job: name, URI: "mongodb://" + db.Host() + "/?directConnection=true", Dir: b.TempDir(), Now: now,
		FCM: f.URL(), FCMTokens: f.TokenURL(), Key: pushtest.PrivateKey(), Expo: e.URL(),
	})
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+string(text), "SSL_CERT_FILE="+cert)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	r := row{job: name, size: s, pushed: f.Total() + e.Total()}
	if err == nil {
		err = json.Unmarshal(out, &r.news)
	}
	if err != nil {
		b.Fatalf("%s: %v\n%s%s", name, err, out, complaints.Bytes())
	}
	commands, written := db.counted()
	for _, n := range commands {
		r.commands += n
	}
	r.written = written
	if len(written) == 0 && name != catalog.Backup.Name {
		b.Errorf("%s wrote nothing: %s", name, r.Result)
	}
	if most := max(f.Most(), e.Most()); most > 1 {
		b.Errorf("%s: a phone got %d messages", name, most)
	}
	return r
}

type table []row

var rows table

// print shows what was run, and beside each figure its budget.
func (t table) print() {
	if len(t) == 0 {
		return
	}
	fmt.Printf("\njobs on generated data: documents made by a server that speaks MongoDB's protocol, and not stored; push messages to stand-ins on this machine\n"+
		"budgets: at most %d MB resident; commands grow with the documents; at least %d push messages a second\n%s, %d CPUs, load %s\n\n",
		mostMB, leastPushed, runtime.Version(), runtime.NumCPU(), load())
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "job\tusers\tresults\tseconds\tusers/s\tpushed/s\tpeak MB\tcommands\tper 1,000 users\twritten\t")
	for _, r := range t {
		pushed := "–"
		if r.pushes {
			pushed = fmt.Sprintf("%.0f%s", float64(r.pushed)/r.Seconds, missed(float64(r.pushed)/r.Seconds >= leastPushed))
		}
		var written []string
		for _, collection := range slices.Sorted(maps.Keys(r.written)) {
			written = append(written, fmt.Sprintf("%s %d", collection, r.written[collection]))
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%.1f\t%.0f\t%s\t%.0f%s\t%d\t%.2f\t%s\t\n", r.job, r.size.users, r.size.history, r.Seconds, float64(r.size.users)/r.Seconds,
			pushed, r.PeakMB, missed(r.PeakMB <= mostMB), r.commands, float64(r.commands)*1000/float64(r.size.users), strings.Join(written, ", "))
	}
	_ = w.Flush()
}

func missed(met bool) string {
	if met {
		return ""
	}
	return " (missed)"
}

// load is the machine's load average, where the system tells.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}
