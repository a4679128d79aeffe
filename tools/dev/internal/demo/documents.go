package demo

import (
	"math"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// number is a JavaScript number: stored as int32 when it is a whole one, as
// the Node driver does.
type number float64

// MarshalBSONValue implements bson.ValueMarshaler.
func (n number) MarshalBSONValue() (byte, []byte, error) {
	var v any = float64(n)
	if f := float64(n); f == math.Trunc(f) && math.Abs(f) <= math.MaxInt32 {
		v = int32(f)
	}

	t, raw, err := bson.MarshalValue(v)

	return byte(t), raw, err
}

// Stamps end every document, as Mongoose writes it.
type Stamps struct {
	CreatedAt time.Time `bson:"createdAt"`
	UpdatedAt time.Time `bson:"updatedAt"`
	Version   int32     `bson:"__v"`
}

type user struct {
	ID                 bson.ObjectID `bson:"_id"`
	Name               string        `bson:"name"`
	Email              string        `bson:"email"`
	Phone              *string       `bson:"phone"`
	Password           *string       `bson:"password"`
	AvatarURL          *string       `bson:"avatarUrl"`
	DateOfBirth        *string       `bson:"dateOfBirth"`
	Level              number        `bson:"level"`
	Role               string        `bson:"role"`
	Gender             string        `bson:"gender"`
	RegistrationMethod string        `bson:"registrationMethod"`
	ExpoPushToken      *string       `bson:"expoPushToken"`
	FCMToken           *string       `bson:"fcmToken"`
	DeviceInfo         deviceInfo    `bson:"deviceInfo"`
	Stamps             `bson:",inline"`
}

type deviceInfo struct {
	DeviceID   *string `bson:"deviceId"`
	Platform   *string `bson:"platform"`
	AppVersion *string `bson:"appVersion"`
}

type reminder struct {
	ID     bson.ObjectID `bson:"_id"`
	User   bson.ObjectID `bson:"user"`
	Hour   number        `bson:"hour"`
	Minute number        `bson:"minute"`
	Stamps `bson:",inline"`
}

type notification struct {
	ID      bson.ObjectID `bson:"_id"`
	Title   string        `bson:"title"`
	Message string        `bson:"message"`
	User    bson.ObjectID `bson:"user"`
	IsRead  bool          `bson:"isRead"`
	Stamps  `bson:",inline"`
}

type practiceHistory struct {
	ID              bson.ObjectID `bson:"_id"`
	User            bson.ObjectID `bson:"user"`
	StartTime       time.Time     `bson:"startTime"`
	EndTime         time.Time     `bson:"endTime"`
	LessonType      string        `bson:"lessonType"`
	TotalQuestions  number        `bson:"totalQuestions"`
	CorrectAnswers  number        `bson:"correctAnswers"`
	AccuracyRate    number        `bson:"accuracyRate"` // percent, two decimals
	QuestionAnswers bson.A        `bson:"questionAnswers"`
	Stamps          `bson:",inline"`
}

type examHistory struct {
	ID             bson.ObjectID `bson:"_id"`
	User           bson.ObjectID `bson:"user"`
	StartTime      time.Time     `bson:"startTime"`
	EndTime        time.Time     `bson:"endTime"`
	TotalQuestions number        `bson:"totalQuestions"`
	CorrectAnswers number        `bson:"correctAnswers"`
	AccuracyRate   number        `bson:"accuracyRate"`
	Sections       bson.A        `bson:"sections"`
	Exam           examCopy      `bson:"exam"`
	Stamps         `bson:",inline"`
}

// examCopy is what a history keeps of its exam: no id.
type examCopy struct {
	Name      string    `bson:"name"`
	CreatedAt time.Time `bson:"createdAt"`
}

// content is what questions and the questions of lessons share.
type content struct {
	Question  *string       `bson:"question"`
	Audio     *media        `bson:"audio"`
	ImageURL  *string       `bson:"imageUrl"`
	Answers   []answer      `bson:"answers"`   // null where the sub-questions have them
	Questions []subQuestion `bson:"questions"` // null where there are none
}

type question struct {
	ID          bson.ObjectID `bson:"_id"`
	Number      number        `bson:"questionNumber"`
	Type        string        `bson:"type"`
	Content     content       `bson:",inline"`
	Subtitle    *string       `bson:"subtitle"`
	Explanation *string       `bson:"explanation"`
	Stamps      `bson:",inline"`
}

type media struct {
	Name string `bson:"name"`
	URL  string `bson:"url"`
}

type answer struct {
	Answer    string        `bson:"answer"`
	IsCorrect bool          `bson:"isCorrect"`
	ID        bson.ObjectID `bson:"_id"`
}

type subQuestion struct {
	Question string        `bson:"question"`
	Answers  []answer      `bson:"answers"`
	ID       bson.ObjectID `bson:"_id"`
}

type exam struct {
	ID       bson.ObjectID `bson:"_id"`
	Name     string        `bson:"name"`
	Duration number        `bson:"duration"` // minutes
	Sections []section     `bson:"sections"`
	Stamps   `bson:",inline"`
}

type section struct {
	Type      string          `bson:"type"`
	Questions []bson.ObjectID `bson:"questions"`
	ID        bson.ObjectID   `bson:"_id"`
}

type lesson struct {
	ID        bson.ObjectID    `bson:"_id"`
	Type      string           `bson:"type"`
	Questions []lessonQuestion `bson:"questions"`
	Stamps    `bson:",inline"`
}

type lessonQuestion struct {
	Content content       `bson:",inline"`
	ID      bson.ObjectID `bson:"_id"`
}

type grammarTopic struct {
	ID       bson.ObjectID `bson:"_id"`
	Topic    string        `bson:"topic"`
	Grammars []grammarRule `bson:"grammars"`
	Stamps   `bson:",inline"`
}

type grammarRule struct {
	Title    string        `bson:"title"`
	Content  string        `bson:"content"`
	Examples []string      `bson:"examples"`
	ID       bson.ObjectID `bson:"_id"`
}

type vocabularyTopic struct {
	ID        bson.ObjectID `bson:"_id"`
	TopicName string        `bson:"topicName"`
	Words     []word        `bson:"words"`
	Stamps    `bson:",inline"`
}

type word struct {
	Word          string        `bson:"word"`
	Meaning       string        `bson:"meaning"`
	Pronunciation string        `bson:"pronunciation"`
	Audio         wordAudio     `bson:"audio"`
	ID            bson.ObjectID `bson:"_id"`
}

type wordAudio struct {
	URL  string `bson:"url"`
	Name string `bson:"name"`
}

type favorite struct {
	ID         bson.ObjectID `bson:"_id"`
	UserID     bson.ObjectID `bson:"userId"`
	QuestionID bson.ObjectID `bson:"questionId"`
	Question   *string       `bson:"question"`
	Answer     *string       `bson:"answer"`
	Category   *string       `bson:"category"`
	Stamps     `bson:",inline"`
}

type stage struct {
	ID          bson.ObjectID `bson:"_id"`
	MinScore    number        `bson:"minScore"`
	TargetScore number        `bson:"targetScore"`
	Days        []stageDay    `bson:"days"`
	Stamps      `bson:",inline"`
}

type stageDay struct {
	DayNumber number          `bson:"dayNumber"`
	Questions []bson.ObjectID `bson:"questions"`
	Exam      bson.ObjectID   `bson:"exam"`
	ID        bson.ObjectID   `bson:"_id"`
}

type journey struct {
	ID                bson.ObjectID  `bson:"_id"`
	User              bson.ObjectID  `bson:"user"`
	Stages            []journeyStage `bson:"stages"`
	CurrentStageIndex number         `bson:"currentStageIndex"`
	State             string         `bson:"state"`
	StartedAt         time.Time      `bson:"startedAt"`
	CompletedAt       *time.Time     `bson:"completedAt"`
	ReplacedAt        *time.Time     `bson:"replacedAt"`
	Stamps            `bson:",inline"`
}

type journeyStage struct {
	StageID     bson.ObjectID `bson:"stageId"`
	MinScore    number        `bson:"minScore"`
	TargetScore number        `bson:"targetScore"`
	Days        []journeyDay  `bson:"days"`
	FinalTest   finalTest     `bson:"finalTest"`
	Started     bool          `bson:"started"`
	StartedAt   *time.Time    `bson:"startedAt"`
	State       string        `bson:"state"`
	CompletedAt *time.Time    `bson:"completedAt"`
	ID          bson.ObjectID `bson:"_id"`
}

type journeyDay struct {
	DayNumber   number          `bson:"dayNumber"`
	Started     bool            `bson:"started"`
	Completed   bool            `bson:"completed"`
	StartedAt   *time.Time      `bson:"startedAt"`
	CompletedAt *time.Time      `bson:"completedAt"`
	Score       *number         `bson:"score"`
	Questions   []bson.ObjectID `bson:"questions"`
	ID          bson.ObjectID   `bson:"_id"`
}

type finalTest struct {
	Unlocked    bool       `bson:"unlocked"`
	Started     bool       `bson:"started"`
	Completed   bool       `bson:"completed"`
	Passed      bool       `bson:"passed"`
	StartedAt   *time.Time `bson:"startedAt"`
	CompletedAt *time.Time `bson:"completedAt"`
	Score       *number    `bson:"score"`
}
