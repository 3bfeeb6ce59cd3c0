-- AlterTable
ALTER TABLE "job" ADD COLUMN     "notes" JSONB;
