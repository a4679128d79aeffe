package mongodb

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"
	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/mongodb/internal/observed"
	"github.com/etrainer/backend/pkg/redact"
)

// Defaults of Options.
const (
	DefaultDatabase       = "etrainer" // as in the ETrainer Node backend
	DefaultMaxPoolSize    = 20         // likewise
	DefaultAttemptTimeout = 5 * time.Second
)

// FallbackAllow is the value of Options.Fallback that allows the fallback.
const FallbackAllow = "allow"

// Times of the driver that are not worth a setting.
const (
	// serverSelectionTimeout bounds how long an operation waits for a primary
	// when its context does not: longer than an election usually takes.
	serverSelectionTimeout = 15 * time.Second
	connectTimeout         = 10 * time.Second
	// maxConnIdleTime is below the idle limit of common load balancers and
	// NAT gateways (350 s), which drop connections without a word.
	maxConnIdleTime = 5 * time.Minute
)

// Options says where to connect, and how.
type Options struct {
	// AtlasURI is the whole address (MONGODB_ATLAS_URI).
	AtlasURI string
	// AtlasUser, AtlasPassword, AtlasCluster and AtlasDatabase are the parts of
	// an Atlas address (MONGODB_ATLAS_*), unescaped. The cluster is a host
	// name; an empty one means that there is no such address. They count when
	// AtlasURI is empty; AtlasDatabase also when AtlasURI names no database.
	AtlasUser     string
	AtlasPassword config.Secret
	AtlasCluster  string
	AtlasDatabase string
	// URI is the address where Atlas is not configured (MONGODB_URI).
	URI string
	// Fallback is FallbackAllow to use URI when Atlas does not answer at the
	// start (MONGODB_FALLBACK). "" = keep trying Atlas.
	Fallback string
	// MaxPoolSize and MinPoolSize bound the connections to each server. 0 =
	// DefaultMaxPoolSize, and none kept open.
	MaxPoolSize, MinPoolSize uint64
	// AppName shows in the server's log and in currentOp.
	AppName string
	// AttemptTimeout bounds each attempt of Connect. 0 =
	// DefaultAttemptTimeout.
	AttemptTimeout time.Duration
	// Log receives the attempts and the choice. nil = nothing is logged.
	Log *slog.Logger
	// Monitor sees every command, for instance that of a CommandCounter. nil =
	// none.
	Monitor *event.CommandMonitor
	// SlowCommand is how long a command may take before it is logged as a warning.
	// 0 = none is.
	SlowCommand time.Duration
	// Clock measures the server's clock against ours. nil = the real one.
	Clock clockwork.Clock
}

// Validate reports every mistake in the addresses and pool sizes, as
// config.Problem joined. It does not ask the network.
func (o Options) Validate() error {
	_, err := o.candidates()
	return err
}

// WithoutFallback returns the options of a command that does one thing and ends:
// it works on the database that is meant, or fails.
func (o Options) WithoutFallback() Options {
	if o.Fallback == FallbackAllow && o.Log != nil {
		o.Log.Info("MONGODB_FALLBACK does not count for this command: to work on the database of MONGODB_URI, empty the MONGODB_ATLAS_ variables")
	}
	o.Fallback = ""
	return o
}

func (o Options) withDefaults() Options {
	if o.MaxPoolSize == 0 {
		o.MaxPoolSize = DefaultMaxPoolSize
	}
	if o.AttemptTimeout == 0 {
		o.AttemptTimeout = DefaultAttemptTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = clockwork.NewRealClock()
	}
	return o
}

// candidate is one server to try.
type candidate struct {
	Target
	uri      string
	database string
}

// candidates lists the servers to try, in order: one, or two where the
// fallback is allowed.
func (o Options) candidates() ([]candidate, error) {
	var out []candidate
	var problems []error
	if most := o.withDefaults().MaxPoolSize; o.MinPoolSize > most {
		problems = append(problems, config.Problem{
			Variable: "MONGODB_MIN_POOL_SIZE", Value: strconv.FormatUint(o.MinPoolSize, 10),
			Fault: fmt.Sprintf("is more than MONGODB_MAX_POOL_SIZE, which is %d", most), Mend: "lower it, or raise MONGODB_MAX_POOL_SIZE",
		})
	}
	add := func(name, uri, database string, fallback bool) {
		parsed, err := parseAddress(uri)
		if err == nil {
			err = checkWithDriver(uri)
		}
		if err != nil {
			problems = append(problems, config.Problem{
				Variable: name, Fault: "cannot be used", Mend: redact.Text(err.Error()),
			})
			return
		}
		for _, choice := range []string{parsed.database, database, DefaultDatabase} {
			if choice != "" {
				database = choice
				break
			}
		}
		out = append(out, candidate{Target{Name: name, Host: parsed.hosts, Fallback: fallback}, uri, database})
	}

	atlas := true
	switch {
	case o.AtlasURI != "":
		add("MONGODB_ATLAS_URI", o.AtlasURI, o.AtlasDatabase, false)
	case o.AtlasCluster != "":
		add("MONGODB_ATLAS_CLUSTER", o.atlasFromParts(), o.AtlasDatabase, false)
	default:
		atlas = false
	}
	if o.Fallback != "" && o.Fallback != FallbackAllow {
		problems = append(problems, config.Problem{
			Variable: "MONGODB_FALLBACK", Value: o.Fallback, Fault: "is unknown",
			Mend: "set it to " + FallbackAllow + ", or leave it empty to wait for Atlas",
		})
	}
	switch {
	case o.URI != "" && (!atlas || o.Fallback == FallbackAllow):
		add("MONGODB_URI", o.URI, "", atlas)
	case o.URI == "" && atlas && o.Fallback == FallbackAllow:
		problems = append(problems, config.Problem{
			Variable: "MONGODB_URI", Fault: "is not set, but MONGODB_FALLBACK allows to use it",
			Mend: "set it, or empty MONGODB_FALLBACK",
		})
	case o.URI == "" && !atlas:
		problems = append(problems, config.Problem{
			Variable: "MONGODB_URI", Fault: "is not set, and neither are the MONGODB_ATLAS_ variables",
			Mend: "set it to an address such as mongodb://127.0.0.1:27017/" + DefaultDatabase,
		})
	}
	return out, errors.Join(problems...)
}

// atlasFromParts builds the address as the Node backend does, but escaped.
func (o Options) atlasFromParts() string {
	// url.UserPassword leaves signs such as + and & alone; QueryEscape escapes
	// all but letters, digits and -_.~, and a space as +, which is a plus in
	// the user part of an address.
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	var user string
	if o.AtlasUser != "" {
		user = escape(o.AtlasUser) + ":" + escape(o.AtlasPassword.Reveal()) + "@"
	}
	return "mongodb+srv://" + user + o.AtlasCluster + "/" + escape(o.AtlasDatabase) + "?retryWrites=true&w=majority"
}

// checkWithDriver lets the driver read an address. An SRV address it would
// look up in the DNS, which is for Connect to wait for: it is read as if it
// named its server, without the options that only an SRV address has.
func checkWithDriver(uri string) error {
	if rest, srv := strings.CutPrefix(uri, srvScheme); srv {
		before, query, _ := strings.Cut(rest, "?")
		if !strings.Contains(before, "/") {
			before += "/"
		}
		kept := slices.DeleteFunc(strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }), func(option string) bool {
			return len(option) > 3 && strings.EqualFold(option[:3], "srv")
		})
		uri = plainScheme + before + "?" + strings.Join(kept, "&")
	}
	return options.Client().ApplyURI(uri).Validate()
}

// driver returns the driver's options for one candidate.
func (o Options) driver(c candidate, pool *event.PoolMonitor) *options.ClientOptions {
	journal := true
	out := options.Client().
		ApplyURI(c.uri).
		SetMaxPoolSize(o.MaxPoolSize).
		SetMinPoolSize(o.MinPoolSize).
		SetMaxConnIdleTime(maxConnIdleTime).
		SetConnectTimeout(connectTimeout).
		SetServerSelectionTimeout(serverSelectionTimeout).
		SetReadPreference(readpref.Primary()).
		SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}).
		SetPoolMonitor(pool)
	if o.AppName != "" {
		out.SetAppName(o.AppName)
	}
	monitor := monitors(o.Monitor, observed.Monitor())
	if o.SlowCommand > 0 {
		monitor = monitors(monitor, (&slowLog{threshold: o.SlowCommand, log: o.Log}).monitor())
	}
	if monitor != nil {
		out.SetMonitor(monitor)
	}
	return out
}
