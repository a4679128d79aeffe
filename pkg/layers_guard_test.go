package pkg_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLayersAreGuarded makes up one file for each rule, and its innocent twin.
func TestLayersAreGuarded(t *testing.T) {
	t.Parallel()
	const mongo, bson, goRedis = "go.mongodb.org/mongo-driver/v2/mongo", "go.mongodb.org/mongo-driver/v2/bson", "github.com/redis/go-redis/v9"
	tests := map[string]struct {
		file source
		want string // the end of the violation; "" = none
	}{
		"upward":                        {source{"pkg/job", false, []string{prefix + "pkg/queue"}}, "level 1 may not import level 2"},
		"port to adapter":               {source{"pkg/queue", false, []string{prefix + "pkg/queue/mongoqueue"}}, "level 2 may not import level 3"},
		"downward":                      {source{"pkg/queue", false, []string{prefix + "pkg/job", prefix + "pkg/wake"}}, ""},
		"upward in a test":              {source{"pkg/job", true, []string{prefix + "pkg/queue"}}, ""},
		"no level":                      {source{"pkg/helper", false, []string{"fmt"}}, "pkg/helper has no level: give it one in layers_test.go"},
		"no level, imported":            {source{"pkg/helper", false, nil}, "has no level: give it one in layers_test.go"},
		"adapter to adapter":            {source{"pkg/wake/rediswake", false, []string{prefix + "pkg/queue/mongoqueue"}}, "an adapter may not import the adapter beside it"},
		"connection to connection":      {source{"pkg/mongodb", false, []string{prefix + "pkg/redis"}}, "an adapter may not import the adapter beside it"},
		"adapter to connection":         {source{"pkg/queue/mongoqueue", false, []string{prefix + "pkg/mongodb"}}, ""},
		"adapter of a program":          {source{"api/internal/auth/authmongo", false, []string{prefix + "api/internal/users/usersmongo"}}, "an adapter may not import the adapter beside it"},
		"api to worker":                 {source{"api/internal/jobs", false, []string{prefix + "worker/internal/runtime"}}, "programs share pkg, and meet in the database"},
		"worker to api, in a test":      {source{"worker/cmd/worker", true, []string{prefix + "api/internal/jobs"}}, "programs share pkg, and meet in the database"},
		"pkg to api":                    {source{"pkg/queue", false, []string{prefix + "api/internal/jobs"}}, "programs share pkg, and meet in the database"},
		"api to itself":                 {source{"api/cmd/api", false, []string{prefix + "api/internal/jobs"}}, ""},
		"driver in a handler":           {source{"api/internal/jobs", false, []string{mongo}}, "the MongoDB driver belongs in pkg/mongodb, migrations and packages named after mongo"},
		"driver in vocabulary":          {source{"pkg/job", false, []string{mongo}}, "the MongoDB driver belongs in pkg/mongodb, migrations and packages named after mongo"},
		"bson in vocabulary":            {source{"pkg/job", false, []string{bson}}, ""},
		"driver in an adapter":          {source{"api/internal/auth/authmongo", false, []string{mongo, bson}}, ""},
		"driver in a test":              {source{"api/internal/jobs", true, []string{mongo}}, ""},
		"Redis in a handler":            {source{"api/internal/jobs", false, []string{goRedis}}, "the Redis driver belongs in packages named after redis"},
		"Redis in an adapter":           {source{"pkg/wake/rediswake", false, []string{goRedis}}, ""},
		"test support in production":    {source{"worker/cmd/worker", false, []string{prefix + "pkg/mongodb/mongotest"}}, "test support is for tests"},
		"testing in production":         {source{"worker/cmd/worker", false, []string{"testing"}}, "test support is for tests"},
		"test support in tests":         {source{"worker/cmd/worker", true, []string{prefix + "pkg/mongodb/mongotest", "testing"}}, ""},
		"test support in test support":  {source{"pkg/queue/queuetest", false, []string{prefix + "pkg/mongodb/mongotest", "testing"}}, ""},
		"a tool in production":          {source{"worker/cmd/worker", false, []string{prefix + "tools/dev/internal/gate"}}, "tools stay out of production"},
		"a tool in a tool":              {source{"tools/dev/cmd/dev", false, []string{prefix + "tools/dev/internal/gate"}}, ""},
		"the standard library, anybody": {source{"pkg/errs", false, []string{"errors", "fmt"}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := check([]source{test.file})
			if test.want == "" {
				if len(got) > 0 {
					t.Errorf("violations %q, want none", got)
				}
				return
			}
			if len(got) != 1 || !strings.HasSuffix(got[0], test.want) {
				t.Errorf("violations %q, want one that ends in %q", got, test.want)
			}
		})
	}
}

// TestLayersAreRead makes sure that the walk sees the files it must see.
func TestLayersAreRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, text := range map[string]string{
		"pkg/job/job.go":            "package job\n\nimport (\n\t\"fmt\"\n\tq \"" + prefix + "pkg/queue\"\n)\n\nfunc broken( // bodies are not read\n",
		"pkg/job/job_test.go":       "package job_test\n\nimport _ \"testing\"\n",
		"pkg/job/testdata/x.go":     "not even Go",
		"api/web/node_modules/f.go": "not even Go",
		"api/.hidden/x.go":          "not even Go",
		"pkg/job/readme.md":         "not even Go",
	} {
		name = filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sources := readSources(t, root)
	want := []source{
		{dir: "pkg/job", imports: []string{"fmt", prefix + "pkg/queue"}},
		{dir: "pkg/job", test: true, imports: []string{"testing"}},
	}
	if diff := cmp.Diff(want, sources, cmp.AllowUnexported(source{})); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"pkg/job imports pkg/queue: level 1 may not import level 2"}, check(sources)); diff != "" {
		t.Errorf("violations (-want +got):\n%s", diff)
	}
}
