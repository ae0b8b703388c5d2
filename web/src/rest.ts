/** All that the first question does not need, in one file: a slow network takes as long for each file more as for all of this. */
export { Thread } from './chat/Thread';
export { DocumentPage } from './documents/DocumentPage';
export { DocumentsPage } from './documents/DocumentsPage';
export { SourcesPage } from './documents/SourcesPage';
export { uploads } from './documents/uploads';
export { SourcePanel } from './sources/SourcePanel';
export { SystemPage } from './system/SystemPage';
