package mongodb_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	const escape = "escape the signs in its user and password: @ is %40, : is %3A, / is %2F, ? is %3F, % is %25"
	tests := map[string]struct {
		options mongodb.Options
		want    []string
	}{
		"address":               {options: mongodb.Options{URI: "mongodb://127.0.0.1:27017/etrainer"}},
		"address of a set":      {options: mongodb.Options{URI: "mongodb://u:p%40@a:1,b:2,[::1]:3/db?replicaSet=rs0"}},
		"no database":           {options: mongodb.Options{URI: "mongodb://127.0.0.1"}},
		"Atlas":                 {options: mongodb.Options{AtlasURI: "mongodb+srv://u:p@c.example.net/db", URI: "not looked at"}},
		"Atlas parts":           {options: mongodb.Options{AtlasCluster: "c.example.net", AtlasUser: "a@b", AtlasPassword: "p@:/?%"}},
		"Atlas parts, fallback": {options: mongodb.Options{AtlasCluster: "c.example.net", Fallback: "allow", URI: "mongodb://h"}},
		"nothing": {want: []string{
			"MONGODB_URI is not set, and neither are the MONGODB_ATLAS_ variables: set it to an address such as mongodb://127.0.0.1:27017/etrainer",
		}},
		"no scheme":        {options: mongodb.Options{URI: "localhost:27017"}, want: []string{"MONGODB_URI cannot be used: begin it with mongodb:// or mongodb+srv://"}},
		"two at signs":     {options: mongodb.Options{URI: "mongodb://u:hunter@2@h/db"}, want: []string{"MONGODB_URI cannot be used: " + escape}},
		"slash":            {options: mongodb.Options{URI: "mongodb://u:hunter/2@h/db"}, want: []string{"MONGODB_URI cannot be used: " + escape}},
		"question mark":    {options: mongodb.Options{URI: "mongodb://u:hunter?2@h/db"}, want: []string{"MONGODB_URI cannot be used: " + escape}},
		"colon":            {options: mongodb.Options{URI: "mongodb://u:hunter:2@h/db"}, want: []string{"MONGODB_URI cannot be used: " + escape}},
		"percent":          {options: mongodb.Options{URI: "mongodb://u:hunter%2@h/db"}, want: []string{"MONGODB_URI cannot be used: " + escape}},
		"no host":          {options: mongodb.Options{URI: "mongodb:///db"}, want: []string{"MONGODB_URI cannot be used: name a host, as in mongodb://host:27017/database"}},
		"empty host":       {options: mongodb.Options{URI: "mongodb://a,,b/db"}, want: []string{"MONGODB_URI cannot be used: name a host, as in mongodb://host:27017/database"}},
		"two databases":    {options: mongodb.Options{URI: "mongodb://h/a/b"}, want: []string{"MONGODB_URI cannot be used: name one database after the host, as in mongodb://host:27017/database"}},
		"SRV with port":    {options: mongodb.Options{AtlasURI: "mongodb+srv://h:1/db"}, want: []string{"MONGODB_ATLAS_URI cannot be used: name exactly one host without a port after mongodb+srv://"}},
		"cluster as a URL": {options: mongodb.Options{AtlasCluster: "mongodb+srv://c"}, want: []string{"MONGODB_ATLAS_CLUSTER cannot be used: name exactly one host without a port after mongodb+srv://"}},
		"driver refuses":   {options: mongodb.Options{URI: "mongodb://u:hunter2@h/db?directConnection=perhaps"}, want: []string{"MONGODB_URI cannot be used: "}},
		"fallback unknown": {
			options: mongodb.Options{AtlasCluster: "c.example.net", Fallback: "yes"},
			want:    []string{`MONGODB_FALLBACK is "yes", which is unknown: set it to allow, or leave it empty to wait for Atlas`},
		},
		"fallback to nothing": {
			options: mongodb.Options{AtlasCluster: "c.example.net", Fallback: "allow"},
			want:    []string{"MONGODB_URI is not set, but MONGODB_FALLBACK allows to use it: set it, or empty MONGODB_FALLBACK"},
		},
		"pool": {options: mongodb.Options{URI: "mongodb://h", MinPoolSize: 20}},
		"pool too small": {
			options: mongodb.Options{URI: "mongodb://h", MaxPoolSize: 5, MinPoolSize: 6},
			want:    []string{`MONGODB_MIN_POOL_SIZE is "6", which is more than MONGODB_MAX_POOL_SIZE, which is 5: lower it, or raise MONGODB_MAX_POOL_SIZE`},
		},
		"pool above the default": {
			options: mongodb.Options{URI: "mongodb://h", MinPoolSize: 21},
			want:    []string{`MONGODB_MIN_POOL_SIZE is "21", which is more than MONGODB_MAX_POOL_SIZE, which is 20: lower it, or raise MONGODB_MAX_POOL_SIZE`},
		},
		"SRV options":                {options: mongodb.Options{AtlasURI: "mongodb+srv://u:p%40@c.example.net?srvMaxHosts=2&srvServiceName=db&retryWrites=true"}},
		"driver refuses SRV options": {options: mongodb.Options{AtlasURI: "mongodb+srv://u:hunter2@c.example.net/db?retryWrites=perhaps"}, want: []string{"MONGODB_ATLAS_URI cannot be used: "}},
		"all at once": {
			options: mongodb.Options{AtlasURI: "http://a", Fallback: "allow", URI: "http://b"},
			want: []string{
				"MONGODB_ATLAS_URI cannot be used: begin it with mongodb:// or mongodb+srv://",
				"MONGODB_URI cannot be used: begin it with mongodb:// or mongodb+srv://",
			},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.options.Validate()
			if len(test.want) == 0 {
				if err != nil {
					t.Errorf("Validate = %v, want nil", err)
				}
				return
			}
			if !errors.Is(err, config.ErrConfig) {
				t.Fatalf("Validate = %v, want ErrConfig", err)
			}
			if strings.Contains(err.Error(), "hunter") {
				t.Errorf("the error quotes the password: %v", err)
			}
			got := strings.Split(err.Error(), "\n")
			if strings.HasPrefix(name, "driver refuses") { // in the driver's words
				got[0] = got[0][:min(len(got[0]), len(test.want[0]))]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if _, err := mongodb.Connect(t.Context(), test.options); !errors.Is(err, config.ErrConfig) {
				t.Errorf("Connect = %v, want ErrConfig at once", err)
			}
		})
	}
}

func TestAtlasAddressIsEscaped(t *testing.T) {
	t.Parallel()
	options := mongodb.Options{
		AtlasUser: "app+worker@etrainer", AtlasPassword: "p@:/?#%&= +ü", AtlasCluster: "c0.example.mongodb.net", AtlasDatabase: "e trainer",
	}
	got := mongodb.AtlasAddress(options)
	u, err := url.Parse(got)
	if err != nil {
		t.Fatalf("parse %q: %v", got, err)
	}
	password, _ := u.User.Password()
	if u.Scheme != "mongodb+srv" || u.Host != "c0.example.mongodb.net" || u.Path != "/e trainer" ||
		u.User.Username() != options.AtlasUser || password != options.AtlasPassword.Reveal() || u.RawQuery != "retryWrites=true&w=majority" {
		t.Errorf("address = %q", got)
	}
	if user, _, _ := strings.Cut(strings.TrimPrefix(got, "mongodb+srv://"), "@"); strings.ContainsAny(user, "@/?#&= +") || strings.Count(user, ":") != 1 {
		t.Errorf("the user part is not escaped: %q", user)
	}
	without := mongodb.AtlasAddress(mongodb.Options{AtlasCluster: "c.example.net"})
	if want := "mongodb+srv://c.example.net/?retryWrites=true&w=majority"; without != want {
		t.Errorf("address without a user = %q, want %q", without, want)
	}
}

func FuzzValidateShowsNoPassword(f *testing.F) {
	f.Add("mongodb://", "@h/db")
	f.Add("mongodb+srv://u:", "@h/db?x=y")
	f.Add("", "?@,/%zz")
	f.Fuzz(func(t *testing.T, before, after string) {
		const password = "XYZZYhunter2"
		err := mongodb.Options{URI: before + password + after}.Validate()
		// What follows the last @ is no longer a password, but a host.
		if err != nil && strings.Contains(err.Error(), password) && strings.Contains(after, "@") {
			t.Errorf("the error quotes the password: %v", err)
		}
	})
}
