// Package config is everything that can be set about the api, by environment
// variables. Names are those of the Node backend where it had one.
package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/etrainer/backend/pkg/config"
	"github.com/etrainer/backend/pkg/limit"
	"github.com/etrainer/backend/pkg/mongodb"
	"github.com/etrainer/backend/pkg/redis"
	"github.com/etrainer/backend/pkg/schedule"
	"github.com/etrainer/backend/pkg/supervise"
)

// Config is the configuration of the api.
type Config struct {
	Listen
	Environment string `env:"NODE_ENV" envDefault:"development" help:"where this runs; production logs JSON, at info level" example:"production" production:"production"`
	LogLevel    string `env:"LOG_LEVEL" help:"least level that is logged: debug, info, warn or error; default info, and debug for an api that is not in production" example:"warn"`

	Cluster supervise.Env
	MongoDB mongodb.Env
	Redis   redis.Env

	JWTSecret         config.Secret `env:"JWT_SECRET_KEY,required" envAlias:"JWT_SECRET" help:"signs access tokens; 32 random bytes or more" example:"what openssl rand -base64 48 prints"`
	JWTRefreshSecret  config.Secret `env:"JWT_REFRESH_SECRET" help:"signs refresh tokens, and is made like JWT_SECRET_KEY; default JWT_SECRET_KEY" example:"what openssl rand -base64 48 prints" production:""`
	JWTExpiresIn      Lifetime      `env:"JWT_EXPIRES_IN" envDefault:"1h" help:"how long access tokens are valid" unit:"s, m, h, d or w" example:"15m"`
	JWTRefreshExpires Lifetime      `env:"JWT_REFRESH_EXPIRES_IN" envDefault:"7d" help:"how long refresh tokens are valid; longer than access tokens" unit:"s, m, h, d or w" example:"30d"`
	SessionExpiresIn  Lifetime      `env:"SESSION_EXPIRES_IN" envDefault:"90d" help:"how long a session lasts at most, however often its tokens are refreshed; its user logs in again then" unit:"s, m, h, d or w" example:"30d"`
	BootstrapSecret   config.Secret `env:"BOOTSTRAP_SECRET" help:"who registers with it as bootstrapSecret becomes the administrator while there is none; without one the very first account does" example:"what openssl rand -base64 48 prints"`
	BcryptRounds      int           `env:"BCRYPT_ROUNDS" envDefault:"10" help:"cost of new password hashes; each step doubles the time of a login" unit:"powers of two, from 4 to 15" example:"12"`
	GoogleUserInfo    string        `env:"GOOGLE_USERINFO_URL" help:"where to ask whom a Google token belongs to; default Google's own address" example:"https://www.googleapis.com/oauth2/v3/userinfo"`
	GoogleTokenInfo   string        `env:"GOOGLE_TOKENINFO_URL" help:"where to ask for which client a Google token was issued; default Google's own address" example:"https://oauth2.googleapis.com/tokeninfo"`
	GoogleClientIDs   []string      `env:"GOOGLE_CLIENT_IDS" help:"OAuth client ids of the apps whose Google tokens are accepted, with commas between; advisable, since without it a token that a person gave to any other app logs in here as well" example:"123-abc.apps.googleusercontent.com"`

	AllowedOrigins    []string `env:"ALLOWED_ORIGINS" envDefault:"http://localhost:5173,http://localhost:8081" help:"web origins that browsers may call from, with commas between" example:"https://app.etrainer.example,https://admin.etrainer.example" production:"https://etrainer.example"`
	TrustedProxies    []string `env:"TRUSTED_PROXIES" help:"addresses or networks of the proxies whose X-Forwarded-For counts, with commas between; default none" example:"10.0.0.0/8,127.0.0.1"`
	RateLimitWindowMS int64    `env:"RATE_LIMIT_WINDOW_MS" envDefault:"900000" help:"window of the limits below; all replicas count together, through Redis" unit:"milliseconds" example:"60000"`
	RateLimitMax      int      `env:"RATE_LIMIT_MAX_REQUESTS" envDefault:"100" help:"requests of one client address in a window; 0 = no limit" unit:"requests" example:"1000"`
	AuthLimitMax      int      `env:"AUTH_RATE_LIMIT_MAX" envDefault:"10" help:"failed requests to /api/auth of one client address in a window; 0 = no limit" unit:"requests" example:"20"`
	UploadLimitMax    int      `env:"UPLOAD_RATE_LIMIT_MAX" envDefault:"20" help:"uploads of one client address in a window; 0 = no limit" unit:"requests" example:"100"`
	StrictLimitMax    int      `env:"STRICT_RATE_LIMIT_MAX" envDefault:"5" help:"sensitive operations of one client address in an hour; 0 = no limit" unit:"requests" example:"10"`

	BodyLimit     int64         `env:"BODY_LIMIT" envDefault:"10485760" help:"greatest JSON body" unit:"bytes" example:"1048576"`
	HeaderTimeout time.Duration `env:"API_HEADER_TIMEOUT" envDefault:"10s" help:"how long a client may take to send the header of a request" example:"5s"`
	BodyTimeout   time.Duration `env:"API_BODY_TIMEOUT" envDefault:"30s" help:"how long a client may take to send a whole request; uploads may go on as long as something arrives" example:"1m"`
	Shutdown      time.Duration `env:"API_SHUTDOWN_TIMEOUT" envDefault:"30s" help:"how long requests may take to end when the process stops" example:"1m"`
	DrainDelay    time.Duration `env:"API_DRAIN_DELAY" envDefault:"0s" help:"how long /readyz fails before the port closes, for balancers that ask seldom" example:"5s"`

	PrivateHost  string `env:"API_PRIVATE_HOST" envDefault:"127.0.0.1" help:"address that the private port listens on; 0.0.0.0 = every interface, for containers" example:"0.0.0.0"`
	PrivatePort  int    `env:"API_PRIVATE_PORT" envDefault:"9090" help:"private port of /metrics and /log-level, which are not authenticated; 0 = any free one" unit:"port" example:"9190"`
	CacheTTL     int    `env:"CACHE_TTL_SECONDS" envDefault:"300" help:"how long the leaderboard is served before it is made anew" unit:"seconds" example:"60"`
	CacheMaxSize int    `env:"CACHE_MAX_SIZE" envDefault:"1000" help:"values of up to 16 KiB that the cache in memory holds; a larger one counts as several" unit:"values" example:"10000"`
	Media        Media

	JobsCollection string `env:"AGENDA_COLLECTION_NAME" envDefault:"agendaJobs" help:"collection of the jobs, shared with Node's Agenda" example:"etrainerJobs"`
	JobsTimezone   string `env:"JOBS_TIMEZONE" envDefault:"Asia/Ho_Chi_Minh" help:"time zone of recurring jobs, of days and weeks, and of phrases such as \"tomorrow at noon\": an IANA name" example:"Europe/Berlin"`
}

// Listen is the part of Config that the health check of a container needs.
type Listen struct {
	Host string `env:"API_HOST" help:"address that the port listens on; 127.0.0.1 = only the proxy on this machine reaches it; default every interface" example:"127.0.0.1"`
	Port int    `env:"PORT" envDefault:"8080" help:"port of the listener" unit:"port" example:"80"`
}

// Address is where the server listens.
func (l Listen) Address() string { return net.JoinHostPort(l.Host, strconv.Itoa(l.Port)) }

// LocalAddress is where a process on this machine reaches the server.
func (l Listen) LocalAddress() string {
	host := l.Host
	if address := net.ParseIP(host); host == "" || address != nil && address.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, strconv.Itoa(l.Port))
}

// Validate reports every mistake, as config.Problem joined.
func (l Listen) Validate() error {
	return errors.Join(l.checkHost(), config.Between("PORT", int64(l.Port), 1, 65535))
}

func (l Listen) checkHost() error {
	if l.Host == "" || l.Host == "localhost" || net.ParseIP(l.Host) != nil {
		return nil
	}
	return config.Problem{Variable: "API_HOST", Value: l.Host, Fault: "is not an address of this machine", Mend: "set it to one such as 127.0.0.1, or leave it empty for every interface"}
}

// PrivateAddress is where the private port listens.
func (c Config) PrivateAddress() string {
	return net.JoinHostPort(c.PrivateHost, strconv.Itoa(c.PrivatePort))
}

// Level is the least level that is logged.
func (c Config) Level() string {
	switch {
	case c.LogLevel != "":
		return strings.ToLower(c.LogLevel)
	case c.Environment == "production":
		return "info"
	default:
		return "debug"
	}
}

// Zone is the time zone of jobs.
func (c Config) Zone() (*time.Location, error) { return schedule.ParseZone(c.JobsTimezone) }

// RateLimitWindow is the window of the limits.
func (c Config) RateLimitWindow() time.Duration {
	return time.Duration(c.RateLimitWindowMS) * time.Millisecond
}

// Validate reports every mistake, as config.Problem joined.
func (c Config) Validate() error {
	database, err := c.MongoDB.Options("", nil, nil)
	return errors.Join(
		c.Listen.Validate(),
		config.LogLevel("LOG_LEVEL", c.LogLevel),
		err,
		database.Validate(),
		c.checkRedis(),
		checkSecret("JWT_SECRET_KEY", c.JWTSecret),
		checkSecret("JWT_REFRESH_SECRET", c.JWTRefreshSecret),
		checkSecret("BOOTSTRAP_SECRET", c.BootstrapSecret),
		c.checkLifetimes(),
		c.checkGoogle("GOOGLE_USERINFO_URL", c.GoogleUserInfo, "https://www.googleapis.com/oauth2/v3/userinfo"),
		c.checkGoogle("GOOGLE_TOKENINFO_URL", c.GoogleTokenInfo, "https://oauth2.googleapis.com/tokeninfo"),
		config.Between("BCRYPT_ROUNDS", int64(c.BcryptRounds), int64(bcrypt.MinCost), 15),
		config.Between("API_PRIVATE_PORT", int64(c.PrivatePort), 0, 65535),
		config.Between("CACHE_TTL_SECONDS", int64(c.CacheTTL), 1, 86400),
		config.Between("CACHE_MAX_SIZE", int64(c.CacheMaxSize), 1, 1_000_000),
		checkOrigins(c.AllowedOrigins),
		checkProxies(c.TrustedProxies),
		c.Media.Validate(),
		config.Between("BODY_LIMIT", c.BodyLimit, 1<<10, 100<<20),
		c.checkLimits(),
		c.checkTimeouts(),
		config.NotNegative("API_SHUTDOWN_TIMEOUT", c.Shutdown),
		config.NotNegative("API_DRAIN_DELAY", c.DrainDelay),
		c.checkZone(),
	)
}

func (c Config) checkRedis() error {
	if _, err := c.Redis.Options(); err != nil {
		return config.Problem{Variable: "REDIS_URL", Fault: "is not a Redis address", Mend: "write it as redis://:password@host:6379/0"}
	}
	return nil
}

func (c Config) checkLifetimes() error {
	if c.JWTExpiresIn <= c.JWTRefreshExpires {
		return nil
	}
	return config.Problem{
		Variable: "JWT_REFRESH_EXPIRES_IN", Value: c.JWTRefreshExpires.String(),
		Fault: "is shorter than JWT_EXPIRES_IN", Mend: "let refresh tokens outlive access tokens, such as 7d and 1h",
	}
}

func (c Config) checkLimits() error {
	const most = 1_000_000
	return errors.Join(
		config.Between("RATE_LIMIT_WINDOW_MS", c.RateLimitWindowMS, limit.MinWindow.Milliseconds(), (24*time.Hour).Milliseconds()),
		config.Between("RATE_LIMIT_MAX_REQUESTS", int64(c.RateLimitMax), 0, most),
		config.Between("AUTH_RATE_LIMIT_MAX", int64(c.AuthLimitMax), 0, most),
		config.Between("UPLOAD_RATE_LIMIT_MAX", int64(c.UploadLimitMax), 0, most),
		config.Between("STRICT_RATE_LIMIT_MAX", int64(c.StrictLimitMax), 0, most),
	)
}

func (c Config) checkTimeouts() error {
	var problems []error
	for variable, value := range map[string]time.Duration{"API_HEADER_TIMEOUT": c.HeaderTimeout, "API_BODY_TIMEOUT": c.BodyTimeout} {
		if value < 100*time.Millisecond || value > 10*time.Minute {
			problems = append(problems, config.Problem{
				Variable: variable, Value: value.String(), Fault: "is out of range", Mend: "set it to a duration from 100ms to 10m, such as 10s",
			})
		}
	}
	return errors.Join(problems...)
}

func (c Config) checkZone() error {
	if _, err := c.Zone(); err != nil {
		return config.Problem{Variable: "JOBS_TIMEZONE", Value: c.JobsTimezone, Fault: "is not a known time zone", Mend: "set it to an IANA name such as Asia/Ho_Chi_Minh"}
	}
	return nil
}

func checkOrigins(origins []string) error {
	var problems []error
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err == nil && u.Scheme != "" && u.Host != "" && origin == u.Scheme+"://"+u.Host {
			continue
		}
		problems = append(problems, config.Problem{
			Variable: "ALLOWED_ORIGINS", Value: origin, Fault: "is not an origin",
			Mend: "list origins such as https://app.example.com, without a path or a star",
		})
	}
	return errors.Join(problems...)
}

func (c Config) checkGoogle(variable, address, example string) error {
	u, err := url.Parse(address)
	problem := config.Problem{Variable: variable, Value: address, Mend: "leave it empty, or set it to one such as " + example}
	switch {
	case address == "":
		return nil
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		problem.Fault = "is not an address"
	case u.Scheme == "http" && c.Environment == "production" && !isLoopback(u.Hostname()):
		problem.Fault = "would send the Google tokens of people over the network unencrypted"
	default:
		return nil
	}
	return problem
}

func isLoopback(host string) bool { return host == "localhost" || net.ParseIP(host).IsLoopback() }

func checkProxies(proxies []string) error {
	var problems []error
	for _, proxy := range proxies {
		_, errNetwork := netip.ParsePrefix(proxy)
		_, errAddress := netip.ParseAddr(proxy)
		if errNetwork == nil || errAddress == nil {
			continue
		}
		problems = append(problems, config.Problem{
			Variable: "TRUSTED_PROXIES", Value: proxy, Fault: "is neither an address nor a network",
			Mend: "list addresses or networks such as 10.0.0.0/8",
		})
	}
	return errors.Join(problems...)
}
