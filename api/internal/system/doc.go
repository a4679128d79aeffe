// Package system answers the routes of /api/system that tell how the service is
// doing: to everybody whether it works and who leads, to administrators the
// rest. The keys are those of the Node backend; their values are true, and new
// keys stand beside them. No request reads a collection as a whole.
package system
