-- What one key alone approved is not carried out for more.
ALTER TABLE "intervention_resolutions" ADD COLUMN "approved_fen" INTEGER;
