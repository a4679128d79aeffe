package deploy_test

import (
	"bytes"
	"debug/elf"
	"errors"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

const root = "../.."

// greatest is how many MB (of a million bytes) a program may have. Each has room
// to grow; what doubles it has most likely made the linker keep every method of
// everything, which reflect.Value.MethodByName does, and templates by it.
var greatest = map[string]float64{"api": 28, "worker": 26, "migrate": 18}

const testVersion = "1.2.3-test"

var images = slices.Sorted(maps.Keys(greatest))

// stages parses the Dockerfile of an image.
func stages(t *testing.T, image string) []instructions.Stage {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docker", image+".Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

// ignored matches what .dockerignore keeps out.
func ignored(t *testing.T) *patternmatcher.PatternMatcher {
	t.Helper()
	file, err := os.Open(filepath.Join(root, ".dockerignore"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return matcher
}

// TestEveryFolderHasItsImage keeps the list above complete.
func TestEveryFolderHasItsImage(t *testing.T) {
	t.Parallel()
	found, err := filepath.Glob(filepath.Join(root, "docker", "*.Dockerfile"))
	if err != nil || len(found) != len(images) {
		t.Errorf("Dockerfiles: %v, %v; want those of %v", found, err, images)
	}
}

// TestFinalStage is what every image promises: nothing but the program, no
// root, and a health check by the program itself.
func TestFinalStage(t *testing.T) {
	t.Parallel()
	for _, image := range images {
		all := stages(t, image)
		last := all[len(all)-1]
		if last.BaseName != "scratch" {
			t.Errorf("%s: made from %s, want scratch", image, last.BaseName)
		}
		var user, entry, health, version bool
		for _, command := range last.Commands {
			switch c := command.(type) {
			case *instructions.UserCommand:
				user = c.User == "65532:65532"
			case *instructions.EntrypointCommand:
				entry = !c.PrependShell && slices.Equal(c.CmdLine, []string{"/" + image})
			case *instructions.HealthCheckCommand:
				health = slices.Equal(c.Health.Test, []string{"CMD", "/" + image, "ping"}) || image == "migrate" && slices.Equal(c.Health.Test, []string{"NONE"})
			case *instructions.LabelCommand:
				for _, label := range c.Labels {
					version = version || label.Key == "org.opencontainers.image.version"
				}
			}
		}
		if !user || !entry || !health || !version {
			t.Errorf("%s: unprivileged user %v, entry point %v, health check %v, version label %v", image, user, entry, health, version)
		}
	}
}

// TestIgnoreFile lets no secret, repository or test into a build.
func TestIgnoreFile(t *testing.T) {
	t.Parallel()
	matcher := ignored(t)
	for path, want := range map[string]bool{
		"api/cmd/api/main.go": false, "pkg/go.sum": false, "migrations/go.mod": false, "worker/go.mod": false,
		".git/config": true, ".env.production": true, "api/.env": true, "bin/api": true, "tools/dev/go.mod": true,
		"api/cmd/api/main_test.go": true, "pkg/job/testdata/x.json": true, "api/web/node_modules/x.js": true,
	} {
		got, err := matcher.MatchesOrParentMatches(path)
		if err != nil || got != want {
			t.Errorf("%s: kept out %v, %v, want %v", path, got, err, want)
		}
	}
}

// TestBuild does what the build stage does, without Docker: it copies what COPY
// names, as far as .dockerignore lets it, and runs the commands in an empty
// folder. Compiling may ask nobody for a module.
func TestBuild(t *testing.T) {
	t.Parallel()
	matcher := ignored(t)
	for _, image := range images {
		t.Run(image, func(t *testing.T) {
			build := stages(t, image)[0]
			source, out := t.TempDir(), t.TempDir()
			environment := os.Environ()
			for _, command := range build.Commands {
				switch c := command.(type) {
				case *instructions.EnvCommand:
					for _, each := range c.Env {
						environment = append(environment, each.Key+"="+each.Value)
					}
				case *instructions.ArgCommand:
					for _, each := range c.Args {
						value := each.ValueString()
						if each.Key == "VERSION" { // as by --build-arg
							value = testVersion
						}
						environment = append(environment, each.Key+"="+value)
					}
				case *instructions.CopyCommand:
					for _, path := range c.SourcePaths {
						copyTree(t, matcher, path, source)
					}
				case *instructions.RunCommand:
					text := strings.ReplaceAll(strings.Join(c.CmdLine, " "), "/out/", out+"/")
					run := exec.Command("sh", "-c", text)
					run.Dir, run.Env = source, environment
					if printed, err := run.CombinedOutput(); err != nil {
						t.Fatalf("%s: %v\n%s", text, err, printed)
					}
				}
			}
			program := filepath.Join(out, image)
			info, err := os.Stat(program)
			if err != nil {
				t.Fatal(err)
			}
			checkProgram(t, program)
			size := float64(info.Size()) / 1e6
			t.Logf("%s has %.1f MB", image, size)
			if size > greatest[image] {
				t.Errorf("%s has %.1f MB, more than %v", image, size, greatest[image])
			}
		})
	}
}

// checkProgram runs a program, and looks for what an image from scratch lacks:
// a dynamic linker. Symbols would only make it larger.
func checkProgram(t *testing.T, program string) {
	t.Helper()
	printed, err := exec.Command(program, "version").CombinedOutput()
	if err != nil || !strings.Contains(string(printed), testVersion) {
		t.Errorf("%s version: %s, %v; want %s", program, printed, err, testVersion)
	}
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, each := range file.Progs {
		if each.Type == elf.PT_INTERP {
			t.Errorf("%s is not static", program)
		}
	}
	if file.Section(".symtab") != nil {
		t.Errorf("%s is not stripped", program)
	}
}

// copyTree copies a file or folder of the repository to the same place below
// target.
func copyTree(t *testing.T, matcher *patternmatcher.PatternMatcher, path, target string) {
	t.Helper()
	copied := 0
	err := filepath.WalkDir(filepath.Join(root, path), func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, name)
		if err != nil || entry.IsDir() {
			return err
		}
		out, err := matcher.MatchesOrParentMatches(filepath.ToSlash(relative))
		if err != nil || out || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		copied++
		to := filepath.Join(target, relative)
		return errors.Join(os.MkdirAll(filepath.Dir(to), 0o755), os.WriteFile(to, text, 0o644))
	})
	if err != nil || copied == 0 {
		t.Fatalf("COPY %s: %d files, %v", path, copied, err)
	}
}
