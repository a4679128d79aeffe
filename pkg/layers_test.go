package pkg_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const prefix = "github.com/etrainer/backend/"

// levels gives each package of pkg its place. A package below the folder of a
// port is an adapter of it, at level 3, and needs no line here.
var levels = map[string]int{
	// Level 0 knows nothing of jobs.
	"instant": 0, "redact": 0, "errs": 0, "lifecycle": 0, "config": 0, "logging": 0, "metrics": 0, "version": 0, "drain": 0,
	// Level 1 is vocabulary, without I/O.
	"job": 1, "schedule": 1, "catalog": 1, "schema": 1, "mediafile": 1,
	// Level 2 is ports, and what is built on them.
	"queue": 2, "wake": 2, "fleet": 2, "runner": 2, "cache": 2, "limit": 2, "media": 2, "push": 2, "ledger": 2, "supervise": 2,
	// Level 3 is adapters; these two are the connections that the others use.
	"mongodb": connection, "redis": connection,
}

const (
	connection = 3
	adapter    = 3
	support    = 4 // test support may use everything below it
)

// bsonOnly are the packages that carry ids and payloads of jobs, and never
// speak to a database.
var bsonOnly = []string{"pkg/job", "pkg/schema", "pkg/queue", "pkg/runner", "api/internal/jobs"}

// source is one Go file, as far as the rules look at it.
type source struct {
	dir     string // from the root of the repository, with slashes
	test    bool
	imports []string
}

// TestLayers walks the imports of every module.
func TestLayers(t *testing.T) {
	t.Parallel()
	sources := readSources(t, "..")
	if len(sources) < 50 {
		t.Fatalf("only %d files found: the walk is broken", len(sources))
	}
	for _, violation := range check(sources) {
		t.Error(violation)
	}
}

// check returns the broken rules, one sentence for each import at fault.
func check(sources []source) []string {
	seen := map[string]bool{}
	for _, s := range sources {
		for _, imported := range s.imports {
			for _, rule := range []func(source, string) string{programs, upward, siblings, drivers, testSupport, tools} {
				if wrong := rule(s, imported); wrong != "" {
					seen[fmt.Sprintf("%s imports %s: %s", s.dir, strings.TrimPrefix(imported, prefix), wrong)] = true
				}
			}
		}
		if _, known := level(s.dir); !known {
			seen[s.dir+" has no level: give it one in layers_test.go"] = true
		}
	}
	out := make([]string, 0, len(seen))
	for violation := range seen {
		out = append(out, violation)
	}
	slices.Sort(out)
	return out
}

// programs: api, worker and migrations share pkg and nothing else.
func programs(s source, imported string) string {
	to, ours := strings.CutPrefix(imported, prefix)
	if !ours || !isProgram(to) || top(to) == top(s.dir) || top(s.dir) == "tools" {
		return ""
	}
	return "programs share pkg, and meet in the database"
}

// upward: a package imports its own level or a lower one.
func upward(s source, imported string) string {
	to, ours := strings.CutPrefix(imported, prefix)
	if !ours || s.test || top(s.dir) != "pkg" || top(to) != "pkg" {
		return ""
	}
	from, _ := level(s.dir)
	target, known := level(to)
	if known && target > from {
		return fmt.Sprintf("level %d may not import level %d", from, target)
	}
	return ""
}

// siblings: an adapter imports connections and ports, never another adapter.
func siblings(s source, imported string) string {
	to, ours := strings.CutPrefix(imported, prefix)
	if !ours || s.test || !isAdapter(s.dir) || !isAdapter(to) || s.dir == to || strings.HasPrefix(to, s.dir+"/") || strings.HasPrefix(s.dir, to+"/") {
		return ""
	}
	if isConnection(to) && !isConnection(s.dir) {
		return ""
	}
	return "an adapter may not import the adapter beside it"
}

// drivers: each database's driver stays in the packages named after it.
func drivers(s source, imported string) string {
	if s.test || top(s.dir) == "tools" || isSupport(s.dir) {
		return ""
	}
	switch {
	case strings.HasPrefix(imported, "go.mongodb.org/mongo-driver/"):
		if isNamedAfter(s.dir, "mongo") || strings.HasPrefix(s.dir, "pkg/mongodb/") || top(s.dir) == "migrations" ||
			slices.Contains(bsonOnly, s.dir) && strings.HasSuffix(imported, "/bson") {
			return ""
		}
		return "the MongoDB driver belongs in pkg/mongodb, migrations and packages named after mongo"
	case strings.HasPrefix(imported, "github.com/redis/"):
		if isNamedAfter(s.dir, "redis") {
			return ""
		}
		return "the Redis driver belongs in packages named after redis"
	}
	return ""
}

// testSupport: what production imports is production code.
func testSupport(s source, imported string) string {
	to, ours := strings.CutPrefix(imported, prefix)
	if s.test || isSupport(s.dir) || top(s.dir) == "tools" {
		return ""
	}
	if ours && isSupport(to) || imported == "testing" || strings.HasPrefix(imported, "testing/") {
		return "test support is for tests"
	}
	return ""
}

// tools: what runs on a developer's machine stays out of production.
func tools(s source, imported string) string {
	to, ours := strings.CutPrefix(imported, prefix)
	if ours && top(to) == "tools" && top(s.dir) != "tools" {
		return "tools stay out of production"
	}
	return ""
}

// level returns the level of a package of pkg. Others have none, which is
// fine.
func level(dir string) (at int, known bool) {
	inside, ok := strings.CutPrefix(dir, "pkg/")
	if !ok {
		return 0, true
	}
	if isSupport(dir) {
		return support, true
	}
	first, _, nested := strings.Cut(inside, "/")
	at, known = levels[first]
	if nested && known && at == 2 {
		at = adapter
	}
	return at, known
}

func top(dir string) string {
	first, _, _ := strings.Cut(dir, "/")
	return first
}

func isProgram(dir string) bool {
	return slices.Contains([]string{"api", "worker", "migrations"}, top(dir))
}

func isSupport(dir string) bool {
	return strings.HasSuffix(path.Base(dir), "test") && path.Base(dir) != "test"
}

func isConnection(dir string) bool { return dir == "pkg/mongodb" || dir == "pkg/redis" }

func isAdapter(dir string) bool {
	if isSupport(dir) {
		return false
	}
	at, _ := level(dir)
	return top(dir) == "pkg" && at == adapter || isNamedAfter(dir, "mongo") || isNamedAfter(dir, "redis")
}

// isNamedAfter reports whether the last element begins or ends with the name
// of a database: mongodb, mongoqueue, usersmongo, rediswake.
func isNamedAfter(dir, database string) bool {
	last := path.Base(dir)
	return strings.HasPrefix(last, database) || strings.HasSuffix(last, database)
}

// readSources reads the imports of every Go file below root.
func readSources(t *testing.T, root string) []source {
	t.Helper()
	var out []source
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() {
			hidden := name != root && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_"))
			if hidden || base == "node_modules" || base == "testdata" {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(base, ".go") {
			return nil
		}
		s, err := readSource(root, name)
		if err == nil {
			out = append(out, s)
		}
		return err
	})
	if err != nil {
		t.Fatalf("read the sources: %v", err)
	}
	return out
}

func readSource(root, name string) (source, error) {
	file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
	if err != nil {
		return source{}, err
	}
	dir, err := filepath.Rel(root, filepath.Dir(name))
	if err != nil {
		return source{}, err
	}
	s := source{dir: filepath.ToSlash(dir), test: strings.HasSuffix(name, "_test.go")}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return source{}, err
		}
		s.imports = append(s.imports, imported)
	}
	return s, nil
}
