export type { Config } from './config/config.ts';
export type { SessionRecord } from './domain/session-record.ts';
export { createExporter, type Exporter, type ExporterAddresses } from './exporter.ts';
