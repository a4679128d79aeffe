package config

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/viper"
)

// sources are where values come from, in the layers of a viper of their own:
// the environment over the file over the defaults.
//
// Viper gets the names that are known and nothing else. It folds the case of
// keys, so a name of the file that is only nearly one of ours must not reach it;
// and its own reading of the environment is that of the process alone, and does
// not tell which of several names it found.
type sources struct {
	layers      *viper.Viper
	environment map[string]string
	file        map[string]any
	path        string // of the file; "" = none
}

func newSources(fields []field, options Options) (sources, error) {
	s := sources{layers: viper.New(), environment: options.Environment, path: options.File}
	if s.environment == nil {
		s.environment = processEnvironment()
	}
	if s.path == "" {
		s.path = s.environment[FileVariable]
	}
	var err error
	if s.path != "" {
		s.file, err = readFile(s.path)
	}
	ofFile := map[string]any{}
	take := func(name string, trim func(string) string) {
		if text := trim(s.environment[name]); text != "" {
			s.layers.Set(name, text)
		}
		value := s.file[name]
		if text, ok := value.(string); ok && trim(text) == "" {
			return
		}
		if value != nil {
			ofFile[name] = value
		}
	}
	for _, f := range fields {
		for _, name := range f.names {
			take(name, f.trim)
		}
	}
	for name := range withoutEffect {
		take(name, strings.TrimSpace)
	}
	if merged := s.layers.MergeConfigMap(ofFile); merged != nil {
		return s, fmt.Errorf("settings of a file: %w", merged)
	}
	return s, err
}

func processEnvironment() map[string]string {
	out := map[string]string{}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		out[name] = value
	}
	return out
}

// settle gives a field the value of its old name where its own has none. Its own
// name comes before old ones, wherever they stand.
func (s sources) settle(f field, warn func(format string, args ...any)) {
	used := ""
	for _, name := range f.names {
		switch {
		case !s.layers.IsSet(name):
		case used != "":
			warn("%s is set beside %s, which is its old name: %s counts; remove %s", used, name, used, name)
		default:
			used = name
			if name != f.names[0] {
				warn("%s is the old name of %s: it works, but rename it", name, f.names[0])
				s.layers.Set(f.names[0], s.layers.Get(name))
			}
		}
	}
}

// fill sets a field to its value, or to its default if there is none or it
// cannot be read. A problem is the user's mistake, an error that of the struct.
func (s sources) fill(f field) (*Problem, error) {
	name := f.names[0]
	var problem *Problem
	if s.layers.IsSet(name) {
		value, err := f.decode(s.layers)
		if err == nil {
			f.value.Set(value)
			return nil, nil
		}
		problem = f.unreadable(s.layers.Get(name), s.path, err)
		s.layers.Set(name, f.fallback)
	} else if f.required && f.fallback == "" {
		return f.missing(), nil
	}
	if f.fallback == "" {
		return problem, nil
	}
	s.layers.SetDefault(name, f.fallback)
	value, err := f.decode(s.layers)
	if err != nil {
		return nil, fmt.Errorf("default of field %s of the configuration: %w", f.goName, err)
	}
	f.value.Set(value)
	return problem, nil
}
