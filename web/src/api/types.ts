import type { components } from './schema';

type Schemas = components['schemas'];

export type Answer = Schemas['AnswerShape'];
export type AnswerUnit = Schemas['UnitShape'];
export type Block = Schemas['BlockShape'];
export type ChatEvent = Schemas['ChatEvent'];
export type ChatRequest = Schemas['ChatRequest'];
export type Chunk = Schemas['ChunkShape'];
export type Citation = Schemas['CitationShape'];
export type Collection = Schemas['CollectionShape'];
export type Conversation = Schemas['ConversationShape'];
export type ConversationWithTurns = Schemas['ConversationWithTurns'];
export type Document = Schemas['DocumentShape'];
export type DocumentStatus = Document['status'];
export type DocumentWithText = Schemas['DocumentWithText'];
export type Hit = Schemas['HitShape'];
export type Job = Schemas['JobShape'];
export type Page = Schemas['PageShape'];
export type Queued = Schemas['Queued'];
export type Rating = Schemas['FeedbackShape']['rating'];
export type Source = Schemas['SourceShape'];
export type System = Schemas['System'];
export type Turn = Schemas['TurnShape'];
export type Unsupported = Schemas['UnsupportedShape'];
